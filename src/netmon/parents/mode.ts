import { VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { failure } from "../../base/failure.ts";
import type { InterfaceKind } from "../../wire/interfaces.ts";

export interface Parent {
  readonly name: string;
  readonly kind: InterfaceKind;
}

/** What can be asked of an interface that stands for many stations. */
const wired: readonly VnicMode[] = [
  VnicMode.MACVLAN_BRIDGE,
  VnicMode.MACVLAN_PRIVATE,
  VnicMode.MACVLAN_VEPA,
  VnicMode.IPVLAN_L2,
  VnicMode.PROXY_ARP,
];

/** What each kind of parent can carry; the first is what it carries when nothing is asked. */
const possible = {
  physical: [...wired, VnicMode.DEDICATED],
  // A veth is a whole cable of its own, which can be given away like a NIC.
  veth: [...wired, VnicMode.DEDICATED],
  bridge: wired,
  bond: wired,
  vlan: wired,
  macvlan: wired,
  wireless: [VnicMode.PROXY_ARP, VnicMode.IPVLAN_L2],
  tun: [],
  other: [],
} as const satisfies Record<InterfaceKind, readonly VnicMode[]>;

/**
 * How a vNIC is made upon a parent, of what was asked: never `UNSPECIFIED`. It goes by the kind alone, so it cannot know of a
 * switch or hypervisor that refuses further MAC addresses. @throws {Failure} unsupported: that cannot be made upon it.
 */
export function modeFor(mode: VnicMode, parent: Parent): VnicMode {
  const modes: readonly VnicMode[] = possible[parent.kind];
  const [usual] = modes;
  if (usual === undefined) {
    const why = `${parent.name} carries no Ethernet frames (its kind is ${parent.kind})`;
    throw failure("unsupported", `${why}: name a wired or wireless interface as the parent`);
  }
  if (mode === VnicMode.UNSPECIFIED) return usual;
  if (modes.includes(mode)) return mode;
  throw failure("unsupported", refusal(mode, parent));
}

function refusal(mode: VnicMode, { name, kind }: Parent): string {
  if (mode === VnicMode.DEDICATED) {
    const next = kind === "wireless" ? "use proxy-arp, or a wired NIC" : "use macvlan, or name a NIC";
    return `${name} is no NIC that can be moved as a whole (its kind is ${kind}): ${next}`;
  }
  if (kind === "wireless") {
    return `${name} is wireless, and an access point takes frames of one MAC only: use proxy-arp, or leave the mode out`;
  }
  return `this way of making a vNIC is not known here: update this node, or leave the mode out`;
}
