import assert from "node:assert/strict";
import { test } from "node:test";
import { VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure } from "../../../src/base/failure.ts";
import { modeFor } from "../../../src/netmon/parents/index.ts";
import type { InterfaceKind } from "../../../src/wire/interfaces.ts";

const { UNSPECIFIED, MACVLAN_BRIDGE, MACVLAN_VEPA, IPVLAN_L2, PROXY_ARP, DEDICATED } = VnicMode;

function outcome(of: InterfaceKind, mode: VnicMode): VnicMode | string {
  try {
    return modeFor(mode, { name: "if0", kind: of });
  } catch (thrown) {
    const { kind, message } = asFailure(thrown);
    assert.equal(kind, "unsupported");
    return message;
  }
}

test("a wired parent carries MACVLAN unless something else is asked, a wireless one proxy ARP", () => {
  for (const kind of ["physical", "bridge", "bond", "vlan", "veth", "macvlan"] as const) {
    assert.equal(outcome(kind, UNSPECIFIED), MACVLAN_BRIDGE);
    for (const mode of [MACVLAN_VEPA, IPVLAN_L2, PROXY_ARP]) assert.equal(outcome(kind, mode), mode);
  }
  assert.equal(outcome("wireless", UNSPECIFIED), PROXY_ARP);
  assert.equal(outcome("wireless", IPVLAN_L2), IPVLAN_L2);
  assert.equal(outcome("physical", DEDICATED), DEDICATED);
});

test("what a parent cannot carry is refused with the reason, and what to do instead", () => {
  const refused = (kind: InterfaceKind, mode: VnicMode, says: RegExp) =>
    assert.match(String(outcome(kind, mode)), says);
  refused("wireless", MACVLAN_BRIDGE, /frames of one MAC only: use proxy-arp, or leave the mode out/);
  refused("wireless", DEDICATED, /no NIC that can be moved .*: use proxy-arp, or a wired NIC/);
  refused("bridge", DEDICATED, /no NIC that can be moved as a whole \(its kind is bridge\): use macvlan/);
  refused("tun", UNSPECIFIED, /no Ethernet frames \(its kind is tun\): name a wired or wireless interface/);
  refused("other", PROXY_ARP, /no Ethernet frames/);
});
