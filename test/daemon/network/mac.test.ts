import assert from "node:assert/strict";
import { test } from "node:test";
import { VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { macOf } from "../../../src/daemon/network/mac.ts";

test("a vNIC has its MAC address for life: locally administered, one station's, and no other vNIC's", () => {
  const of = (instanceId: string, runtime: string, name: string) =>
    macOf({ instanceId, runtime, vnic: { name, mac: "", mode: VnicMode.UNSPECIFIED } });
  // Written down, because a later version that computes another one would change the MAC of every runtime there is.
  assert.equal(of("0123456789abcdef", "plc1", "lan0"), "42:24:26:aa:f1:14");
  const many = ["a", "b"].flatMap((instance) =>
    Array.from({ length: 500 }, (_, at) => of(instance, `plc${at}`, "lan0")),
  );
  assert.equal(new Set(many).size, 1000);
  for (const mac of many) assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
});

test("a chosen MAC address wins; an IPVLAN link and a dedicated NIC have none of their own", () => {
  const of = (mode: VnicMode, mac: string) =>
    macOf({ instanceId: "i", runtime: "plc1", vnic: { name: "lan0", mac, mode } });
  assert.equal(of(VnicMode.MACVLAN_VEPA, "02:5f:10:aa:bb:cc"), "02:5f:10:aa:bb:cc");
  assert.notEqual(of(VnicMode.PROXY_ARP, ""), "");
  assert.deepEqual([of(VnicMode.IPVLAN_L2, ""), of(VnicMode.DEDICATED, "")], ["", ""]);
});
