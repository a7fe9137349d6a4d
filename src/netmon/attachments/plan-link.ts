import { AddressMode, Ipv6Mode, type Vnic, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Inside, InsideLink, Ipv6Use } from "../namespaces/index.ts";
import type { Interface } from "../picture/index.ts";
import { type Deed, type Known, type Step, stepFor } from "./situation.ts";

/** What a vNIC's link should be, upon its parent as it is now. */
export interface LinkWish {
  readonly vnic: Vnic;
  readonly parent: Interface;
  /** Never UNSPECIFIED. */
  readonly mode: VnicMode;
}

export interface LinkPlan {
  readonly steps: readonly Step[];
  /** The link when it is right; undefined while it is to be made. */
  readonly link: InsideLink | undefined;
  /** Whether it is there when the steps are done, so that addresses can be put on. */
  readonly isThere: boolean;
}

/** What brings a vNIC's link about. One that is right (name, MAC, parent, kind) is never touched. */
export function planLink(wish: LinkWish, inside: Inside, known: Known): LinkPlan {
  const { vnic, parent, mode } = wish;
  if (vnic.vlanId !== 0 && !known.upon) {
    const deed: Deed = { do: "makeVlan", parent: parent.name, vlanId: vnic.vlanId };
    const reason = `${vnic.name} is in VLAN ${vnic.vlanId} of ${parent.name}`;
    return { steps: [stepFor(vnic.name, deed, reason)], link: undefined, isThere: false };
  }
  const upon = known.upon ?? parent;
  const found = inside.links.find(({ name }) => name === vnic.name);
  const wrong = found && whyWrong(found, wish, upon);
  if (found && wrong === undefined) {
    return { steps: planState(vnic, found, known), link: found, isThere: true };
  }
  const reason = wrong ?? `${upon.name} is there, and ${vnic.name} is not`;
  const steps = [
    ...(known.hasClient ? [stepFor(vnic.name, { do: "stopClient" }, reason)] : []),
    ...(found ? [stepFor(vnic.name, { do: "removeLink" }, reason)] : []),
    stepFor(vnic.name, { do: "makeLink", parent: upon.name, mode, mac: vnic.mac }, reason),
    ...planState(vnic, undefined, {}),
  ];
  return { steps, link: undefined, isThere: true };
}

/** The link's own state: IPv6 is set before it is up, so that nothing is sent that was not wanted. */
export function planState(vnic: Vnic, link: InsideLink | undefined, known: Known): Step[] {
  const use = ipv6Use(vnic);
  const steps: Step[] = [];
  const tell = (deed: Deed, reason: string) => void steps.push(stepFor(vnic.name, deed, reason));
  if (known.ipv6 !== use) tell({ do: "setIpv6", use }, `IPv6 is ${use} on ${vnic.name}`);
  if (!link?.isUp) tell({ do: "raiseLink" }, `${vnic.name} is down`);
  const wantsLease = isLeased(vnic);
  if (wantsLease && !known.hasClient) tell({ do: "startClient" }, `${vnic.name} gets its address by DHCP`);
  if (!wantsLease && known.hasClient) tell({ do: "stopClient" }, `${vnic.name} has no DHCP any more`);
  return steps;
}

/** Why a link of the right name is not the right one; undefined when it is. */
function whyWrong(link: InsideLink, { vnic, mode }: LinkWish, upon: { name: string; index: number }) {
  const [kind, kindMode = ""] = kinds[mode] ?? [];
  if (link.kind !== kind || (kindMode !== "" && link.mode !== kindMode)) {
    return `${vnic.name} is a link of another kind than wanted`;
  }
  // A proxied vNIC's other end is on the node, whatever its parent is.
  if (mode !== VnicMode.PROXY_ARP && link.parentIndex !== upon.index)
    return `${upon.name} was made anew or another one`;
  return kind !== "ipvlan" && link.mac !== vnic.mac ? `${vnic.name} has the MAC ${link.mac}` : undefined;
}

/** The kernel's words for what we make. */
const kinds: Readonly<Partial<Record<VnicMode, readonly [kind: string, mode?: string]>>> = {
  [VnicMode.MACVLAN_BRIDGE]: ["macvlan", "bridge"],
  [VnicMode.MACVLAN_PRIVATE]: ["macvlan", "private"],
  [VnicMode.MACVLAN_VEPA]: ["macvlan", "vepa"],
  [VnicMode.IPVLAN_L2]: ["ipvlan"],
  [VnicMode.PROXY_ARP]: ["veth"],
};

/** Whether a vNIC's IPv4 address is a lease. */
export function isLeased({ addressMode }: Pick<Vnic, "addressMode">): boolean {
  return addressMode === AddressMode.UNSPECIFIED || addressMode === AddressMode.DHCP;
}

export function ipv6Use({ ipv6Mode }: Pick<Vnic, "ipv6Mode">): Ipv6Use {
  if (ipv6Mode === Ipv6Mode.SLAAC) return "slaac";
  return ipv6Mode === Ipv6Mode.STATIC ? "static" : "none";
}
