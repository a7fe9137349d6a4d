import assert from "node:assert/strict";
import { test } from "node:test";
import { advertisedHosts, hostPort, machineNames } from "../../src/hub/names.ts";

test("nodes are told what the operator says, else where the hub listens", () => {
  const told = (listen: string, said: string[] = []) =>
    advertisedHosts({ "hub.listen": listen, "hub.advertise": said }, () => ["edge-hub", "10.0.0.7"]);

  assert.deepEqual(told("127.0.0.1"), ["127.0.0.1"]);
  assert.deepEqual(told("0.0.0.0"), ["edge-hub", "10.0.0.7"]);
  assert.deepEqual(told("::"), ["edge-hub", "10.0.0.7"]);
  assert.deepEqual(told("0.0.0.0", ["hub.example", "[2001:db8::1]"]), ["hub.example", "2001:db8::1"]);
  assert.equal(hostPort("2001:db8::1", 7443), "[2001:db8::1]:7443");
  assert.equal(hostPort("hub.example", 7443), "hub.example:7443");
  assert.ok(machineNames().every((name) => name !== "127.0.0.1" && !name.startsWith("fe80")));
});
