import type { Vnic, VnicMode, VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import type { DhcpLease } from "../lease/index.ts";
import type { Inside, Ipv6Use } from "../namespaces/index.ts";
import type { RecordedNic } from "../parents/index.ts";
import type { Interface, Seen } from "../picture/index.ts";
import type { Displaced } from "./store.ts";

/** All that decides what is to do for the vNICs of one owner. */
export interface Situation {
  readonly vnics: readonly Vnic[];
  /** The node's network, settled. */
  readonly picture: Seen;
  /** What there is in the container's network namespace; undefined when the container does not run. */
  readonly inside: Inside | undefined;
  /** Why it cannot be looked into although the container runs; else empty. */
  readonly absence: string;
  /** What is known of each vNIC, by name. */
  readonly known: ReadonlyMap<string, Known>;
  /** Names of vNICs that had a link and are not wanted any more. */
  readonly gone: readonly string[];
  /** Whether the container has files of its own by now, into which name servers can be written. */
  readonly hasFiles: boolean;
  /** The name servers that were written in this life of the container, as `nameServersKey` says them. */
  readonly nameServers: string;
  /** The engine's default route of this life of the container, when a vNIC's has taken its place. */
  readonly displaced: Displaced | undefined;
  /** Wall time in milliseconds. */
  readonly now: number;
}

/** What is known of a vNIC beside what can be seen. */
export interface Known {
  readonly lease?: DhcpLease;
  /** What the parent's LAN looked like when the lease was given, as `lanOf` says it. */
  readonly leaseLan?: string;
  /** Whether a server confirmed the lease upon this link: then it is right whatever the LAN looks like. */
  readonly isConfirmed?: boolean;
  /** Whether a DHCP client is at work. */
  readonly hasClient?: boolean;
  /** What the DHCP client says when no server answers. */
  readonly silence?: string;
  /** Addresses that nobody else had a moment ago: they may be put on without asking. */
  readonly free?: ReadonlySet<string>;
  /** The address that the LAN is being asked for. */
  readonly probing?: string;
  /** How IPv6 of its link was set; undefined when that is not known. */
  readonly ipv6?: Ipv6Use;
  /** What failed, until it works. */
  readonly problem?: Problem;
  /** The link that it is made upon, when that is not its parent itself: a VLAN sub-interface. */
  readonly upon?: { readonly name: string; readonly index: number };
  /** The whole NIC that was given to it, as the node had it. */
  readonly nic?: RecordedNic;
}

export interface Problem {
  readonly reason: string;
  /** The MAC of the machine that has its address. */
  readonly otherMac?: string;
  /** Whether it is not yet time to try again. */
  readonly isWaiting: boolean;
}

/** One thing to do for a vNIC, and why. */
export type Step = Deed & { readonly vnic: string; readonly reason: string };

export type Deed =
  | { readonly do: "makeVlan"; readonly parent: string; readonly vlanId: number }
  | { readonly do: "makeLink"; readonly parent: string; readonly mode: VnicMode; readonly mac: string }
  | { readonly do: "removeLink" }
  | { readonly do: "takeNic"; readonly nic: string }
  | { readonly do: "setIpv6"; readonly use: Ipv6Use }
  | { readonly do: "raiseLink" }
  | { readonly do: "startClient" }
  | { readonly do: "stopClient" }
  /** Asks the LAN who has it. */
  | { readonly do: "probe"; readonly address: string }
  /** `isNew`: it was not there before, so the LAN is told. */
  | {
      readonly do: "addAddress";
      readonly address: string;
      readonly validSeconds?: number;
      readonly isNew: boolean;
    }
  | { readonly do: "removeAddress"; readonly address: string }
  | { readonly do: "replaceRoute"; readonly route: Route }
  /** `isEngines`: it comes back when no vNIC has a default route. */
  | { readonly do: "removeRoute"; readonly route: Route; readonly isEngines: boolean }
  | { readonly do: "writeNameServers"; readonly servers: readonly string[]; readonly search: string };

/** A step for a vNIC, and why. */
export function stepFor(vnic: string, deed: Deed, reason: string): Step {
  return { ...deed, vnic, reason };
}

export interface Route {
  readonly destination: string;
  readonly gateway: string;
  readonly device: string;
  readonly metric: number;
}

/** What a vNIC offers to its runtime. */
export interface Offer {
  /** With prefix. */
  readonly address: string;
  /** Empty when none. */
  readonly gateway: string;
  readonly dnsServers: readonly string[];
  readonly search: string;
  /** Further routes that its DHCP server gave. */
  readonly routes: readonly { readonly destination: string; readonly gateway: string }[];
  /** How long the kernel may keep the address; undefined for ever. */
  readonly validSeconds?: number;
}

/** What a vNIC is, as far as this plan can see; as it will be when it has no steps. */
export interface Standing {
  readonly vnic: Vnic;
  readonly phase: VnicPhase;
  readonly reason: string;
  /** Whether this is about to change by itself: a DHCP server or a probe is waited for. */
  readonly isPending: boolean;
  readonly parent: Interface | undefined;
  readonly mac: string;
  /** Index of its link's parent, when its link is there and right; else 0. */
  readonly linkOn: number;
  readonly addresses: readonly string[];
  readonly offer: Offer | undefined;
  readonly otherMac: string;
  readonly ownsDefaultRoute: boolean;
}

/** The plan for one vNIC, before it is known which of them owns the default route. */
export interface Draft extends Omit<Standing, "ownsDefaultRoute"> {
  /** Whether its link is there when its steps are done. */
  readonly isThere: boolean;
  /** Before the routes. */
  readonly come: readonly Step[];
  /** After them. */
  readonly go: readonly Step[];
}

export interface Plan {
  /** In the order in which they must be done. */
  readonly steps: readonly Step[];
  /** Of each vNIC, in the order of the attachment. */
  readonly standings: readonly Standing[];
}
