import type { Vnic } from "../../../gen/edge/v1/vnics_pb.ts";
import { VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Place } from "../namespaces/index.ts";
import type { Interface, Seen } from "../picture/index.ts";

/** How a vNIC names its parent, for sentences. */
export function parentName({ parent, parentMac }: Pick<Vnic, "parent" | "parentMac">): string {
  return parent === "" ? `the interface with MAC ${parentMac}` : parent;
}

/**
 * The interface that is a vNIC's parent now. A name is the whole name: `eth1` is not `eth10`. Of those that have the MAC, a bond
 * goes before its ports, and a VLAN sub-interface, which has its parent's, is never meant.
 */
export function findParent(
  { parent, parentMac }: Pick<Vnic, "parent" | "parentMac">,
  { interfaces }: Pick<Seen, "interfaces">,
): Interface | undefined {
  if (parent !== "") return interfaces.find(({ name }) => name === parent);
  const having = interfaces.filter(({ mac, kind }) => mac === parentMac && kind !== "vlan");
  return having.find(({ kind }) => kind === "bond") ?? having[0];
}

/** How a vNIC is made upon this parent, if it can be: what `modeFor` says without refusing. */
export function modeOn({ mode }: Pick<Vnic, "mode">, { kind }: Pick<Interface, "kind">): VnicMode {
  if (mode !== VnicMode.UNSPECIFIED) return mode;
  return kind === "wireless" ? VnicMode.PROXY_ARP : VnicMode.MACVLAN_BRIDGE;
}

/**
 * Where a vNIC's LAN is spoken with: on its own link, or, for one that is proxied, on the parent, since inside the node answers
 * for everybody.
 */
export function lanSide(
  wish: Pick<Vnic, "name" | "mode" | "parent" | "parentMac">,
  picture: Seen,
  place: Place,
): { place: Place; device: string } {
  const parent = findParent(wish, picture);
  const isProxied = parent && modeOn(wish, parent) === VnicMode.PROXY_ARP;
  return isProxied ? { place: {}, device: parent.name } : { place, device: wish.name };
}

/**
 * What a parent's LAN looks like from here: a lease of another LAN means nothing. Empty when the parent has no subnet, which is
 * normal for a port that only serves vNICs.
 */
export function lanOf(parent: Interface | undefined): string {
  return (parent?.subnets ?? []).filter((subnet) => !isLinkLocal(subnet)).join(" ");
}

/** Addresses that every interface may have, in any LAN. */
export function isLinkLocal(address: string): boolean {
  return address.startsWith("169.254.") || /^fe[89ab]/.test(address);
}

/** Why the LAN behind a parent may be another one than it was; undefined when nothing says so. */
export function whyOtherLan(before: Interface | undefined, now: Interface | undefined): string | undefined {
  if (!before || !now?.carrier) return undefined;
  if (before.index !== now.index) return `${now.name} was made anew`;
  if (!before.carrier) return `${now.name} has its carrier back`;
  if (lanOf(before) !== lanOf(now))
    return `${now.name} is ${lanOf(now) ? `in ${lanOf(now)}` : "in no subnet"} now`;
  if (before.gateways.join() !== now.gateways.join()) {
    return `${now.name} has ${now.gateways.length > 0 ? `the gateway ${now.gateways.join(", ")}` : "no gateway"} now`;
  }
  return undefined;
}
