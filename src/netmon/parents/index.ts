/**
 * What is made on the node itself, at a parent, for vNICs: VLAN sub-interfaces, shims by which the node talks with vNICs, proxy ARP
 * for parents that take one MAC only, and whole NICs given to a container and taken back. All of it acts in netmon's own network
 * namespace. Links that are ours have the alias `orchestrator`; nobody else's is touched.
 *
 * Each function can be called again at any time and then mends what is missing. `keepShims`, `keepProxies` and `removeUnusedVlans`
 * take all wishes of the node at once and undo the rest: of each, one call at a time.
 *
 * A vNIC of mode PROXY_ARP:
 * 1. `ensureProxyLink` plugs its link, a veth, into the container; addresses and routes inside are those of any other vNIC.
 * 2. `keepProxies` at once, and again whenever its address or a parent is different.
 * 3. Its lease is taken on the parent (`place: {}, device: parent`) with the client id `01:<the vNIC's MAC>`. The
 *    client cannot ask for more time as that address, so it does by broadcast, some time later; the answer comes to the address,
 *    which `keepProxies` makes the node's.
 * 4. Whether an address is free is asked, and an address announced, on the parent: inside, the node answers for everybody.
 * It has no IPv6, and hears no broadcasts of the LAN. The node itself reaches it without a shim.
 *
 * A vNIC of mode DEDICATED: `recordNic`, keep what it says on disk, `takeNic`; at the end `giveBackNic` while the container's
 * namespace is still open, and after a restart without one `returnNic`, each until it says true. Its parent is not on the node
 * meanwhile.
 */

export { modeFor } from "./mode.ts";
export { giveBackNic, returnNic, takeNic } from "./nic.ts";
export { type RecordedNic, recordNic } from "./nic-record.ts";
export { keepProxies } from "./proxy.ts";
export { ensureProxyLink, proxyName } from "./proxy-link.ts";
export type { ProxyWish } from "./proxy-plan.ts";
export { keepShims, type ShimVnic, type ShimWish } from "./shim.ts";
export { ensureVlan, removeUnusedVlans, type Vlan, vlanName } from "./vlan.ts";
