/**
 * A container's network namespace as a thing that is open, and what can be done within one: look, make and remove links, give
 * addresses and routes, ask and tell by ARP. It does what it is told and decides nothing.
 */

export { addAddress, removeAddress } from "./addresses.ts";
export { announce, probeAddress } from "./arp.ts";
export { type Inside, type InsideAddress, type InsideLink, observe } from "./inside.ts";
export { type Ipv6Use, setIpv6 } from "./ipv6.ts";
export {
  createIpvlan,
  createMacvlan,
  type MacvlanMode,
  moveLink,
  removeLink,
  renameLink,
  setLinkDown,
  setLinkUp,
  setMac,
} from "./links.ts";
export { writeNameServers } from "./name-servers.ts";
export { Netns } from "./netns.ts";
export { findOwners, isAlive, type Owner } from "./owner.ts";
export { below, hasOwnRoot, openRoot } from "./root.ts";
export { removeRoute, replaceRoute } from "./routes.ts";
export { ownNamespace, type Place, run } from "./run.ts";
export { keepAddressesApart } from "./settings.ts";
export { findMac } from "./stranger.ts";
export { onTrial, probeOnParent } from "./trial.ts";
