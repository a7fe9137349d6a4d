/**
 * What is made on the node itself, at a parent, for vNICs: VLAN sub-interfaces, shims by which the node talks with vNICs, proxy ARP
 * for parents that take one MAC only, and whole NICs given to a container and taken back. All of it acts in netmon's own network
 * namespace. What is ours is marked with the link alias `orchestrator`; nothing else is touched.
 *
 * Each function can be called again at any time and then mends what is missing. `keep...` and `removeUnused...` take all wishes of
 * the node at once and undo the rest, so two calls of the same one must not run at the same time.
 */

export { modeFor, type Parent } from "./mode.ts";
export { type DedicatedNic, giveBackNic, returnNic, takeNic } from "./nic.ts";
export { type RecordedAddress, type RecordedNic, type RecordOptions, recordNic } from "./nic-record.ts";
export { keepProxies } from "./proxy.ts";
export { ensureProxyLink, type ProxyLinkOptions, type ProxyOwner, proxyName } from "./proxy-link.ts";
export type { ProxyWish } from "./proxy-plan.ts";
export { keepShims, type ShimVnic, type ShimWish } from "./shim.ts";
export { ensureVlan, removeUnusedVlans, type Vlan, vlanName } from "./vlan.ts";
