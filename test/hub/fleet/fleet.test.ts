import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import { SampleSchema } from "../../../gen/edge/v1/node_pb.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openRooms } from "./rooms.ts";

const dayMs = 24 * 3_600_000;

const hello = (epoch: number, instanceId = "one") => ({
  epoch,
  instanceId,
  hostName: "plant-7",
  daemonVersion: "1.2.3",
  address: "10.0.0.7",
  certificateSerial: "0A",
  certificateIssuedAt: 1,
  certificateExpiresAt: 1,
});

test("what a node said survives the hub, and its presence does not", async () => {
  using folder = tempFolder();
  const status = create(StatusSchema, { engineReachable: true, runtimes: [{ name: "plc1" }] });
  {
    await using rooms = await openRooms({ path: folder.path });
    assert.equal(await rooms.fleet.presence.claim("n-a", hello(7)), undefined);
    rooms.fleet.presence.arrived("n-a");
    rooms.fleet.presence.heard("n-a", create(SampleSchema, { cpuPercent: 5 }));
    rooms.fleet.presence.said("n-a", status);
    rooms.fleet.warn("n-a", "look at me");
    await rooms.fleet.presence.saved("n-a");
    assert.equal(rooms.fleet.get("n-a").connected, true);
  }
  await using rooms = await openRooms({ path: folder.path });
  const node = rooms.fleet.get("n-a");
  assert.equal(node.connected, false);
  assert.equal(node.sample, undefined);
  assert.equal(node.hostName, "plant-7");
  assert.equal(node.warning, "look at me");
  assert.deepEqual(node.status, status);
  assert.equal(await rooms.fleet.presence.claim("n-a", hello(6)), "stale", "the fence is on disk");
  assert.equal(await rooms.fleet.presence.claim("n-a", hello(7, "two")), "cloned");
  assert.match(
    rooms.fleet.get("n-a").warning,
    /^two machines hold this node's identity: plant-7 at 10\.0\.0\.7 \(one, since .*\) is served, plant-7 at 10\.0\.0\.7 \(two, since .*\) was refused/,
  );
  rooms.pass(dayMs);
  assert.equal(rooms.fleet.get("n-a").warning, "", "a warning is shown for a day");
});

test("a removed node is nobody, also to the next hub, until it is enrolled again", async () => {
  using folder = tempFolder();
  {
    await using rooms = await openRooms({ path: folder.path });
    await rooms.fleet.remove("n-a");
    assert.throws(() => rooms.fleet.get("n-a"), { kind: "not_found" });
    await assert.rejects(rooms.fleet.remove("n-a"), { kind: "not_found" });
  }
  await using rooms = await openRooms({ path: folder.path, nodes: [] });
  assert.equal(await rooms.fleet.presence.claim("n-a", hello(1)), "removed");
  assert.equal(await rooms.fleet.presence.claim("n-other", hello(1)), "unknown");
  await rooms.fleet.enrolled({ nodeId: "n-a", hostName: "h", serial: "02", expiresAt: 1, at: 1 });
  assert.equal(await rooms.fleet.presence.claim("n-a", hello(1)), undefined);
});

test("revoked certificates are good for nothing, also to the next hub, until the node enrols anew as itself", async () => {
  using folder = tempFolder();
  const cut: string[] = [];
  {
    await using rooms = await openRooms({ path: folder.path });
    rooms.fleet.witnessRemovals({ cut: (id) => cut.push(id) });
    await rooms.fleet.presence.claim("n-a", hello(900));
    const { revokedAt } = await rooms.fleet.revoke("n-a");
    assert.ok(revokedAt);
    assert.deepEqual(cut, ["n-a"]);
    await assert.rejects(rooms.fleet.revoke("n-x"), { kind: "not_found" });
  }
  await using rooms = await openRooms({ path: folder.path });
  assert.equal(await rooms.fleet.presence.claim("n-a", hello(901)), "revoked");
  assert.equal(rooms.fleet.mayRenew("n-a", 1), "revoked");
  const back = { nodeId: "n-a", hostName: "h", serial: "02", expiresAt: 1, at: 1, backSince: 5 };
  await rooms.fleet.enrolled(back);
  assert.equal(await rooms.fleet.presence.claim("n-a", hello(902)), "replaced", "the old certificate");
  const anew = { ...hello(1, "new disk"), certificateIssuedAt: 5 };
  assert.equal(await rooms.fleet.presence.claim("n-a", anew), undefined, "its disk may be another one");
  assert.equal(rooms.fleet.get("n-a").revokedAt, undefined);
});

test("a watcher gets the nodes, that it has caught up, and then each change and removal", async () => {
  await using rooms = await openRooms({ nodes: ["n-b", "n-a"] });
  const stop = new AbortController();
  const watch = rooms.fleet.watch(stop.signal);
  const next = async () => (await watch.next()).value ?? assert.fail("the watch ended");

  const first = await next();
  assert.deepEqual([first.node?.id, first.caughtUp], ["n-a", false]);
  const second = await next();
  assert.deepEqual([second.node?.id, second.caughtUp], ["n-b", true]);
  rooms.fleet.presence.setPending("n-b", 3);
  const third = await next();
  assert.deepEqual([third.node?.id, third.node?.pendingCommands], ["n-b", 3]);
  await rooms.fleet.remove("n-a");
  const fourth = await next();
  assert.deepEqual([fourth.node?.id, fourth.removed], ["n-a", true]);
  const last = watch.next();
  stop.abort();
  assert.equal((await last).done, true);
});

test("a watcher of an empty fleet hears that it has caught up", async () => {
  await using rooms = await openRooms({ nodes: [] });
  const { value } = await rooms.fleet.watch(new AbortController().signal).next();
  assert.deepEqual([value?.node, value?.caughtUp], [undefined, true]);
});
