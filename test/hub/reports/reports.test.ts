import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { type Report, ReportSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { WatchEvents } from "../../../src/hub/reports/index.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import { storesAreFiles } from "../../fixtures/stores.ts";
import { openRooms, type Rooms } from "../fleet/rooms.ts";
import { fill } from "./fill.ts";

const event = (sequence: number, reason = `event ${sequence}`): Report =>
  create(ReportSchema, { sequence: BigInt(sequence), entry: { case: "event", value: { reason } } });
const result = (sequence: number, commandId: string): Report =>
  create(ReportSchema, {
    sequence: BigInt(sequence),
    entry: { case: "result", value: { commandId, outcome: { case: "startRuntime", value: {} } } },
  });
const intake = (rooms: Rooms, { nodeId = "n-a", journalId = "j1", lastSequence = 0 } = {}) =>
  rooms.reports.intake({ nodeId, journalId, lastSequence });

/** What is kept, as `node:sequence reason`. */
async function kept(rooms: Rooms, which: Partial<WatchEvents> = { last: 1000 }): Promise<string[]> {
  const told: string[] = [];
  for await (const one of rooms.reports.watch(
    { stopWhenCaughtUp: true, ...which },
    AbortSignal.timeout(60_000),
  )) {
    told.push(`${one.nodeId}:${one.sequence} ${one.event?.reason}`);
  }
  return told;
}

test("reports of one turn are one commit, and what comes again is kept once, also by the next hub", async () => {
  using folder = tempFolder();
  {
    await using rooms = await openRooms({ path: folder.path });
    const desk = await intake(rooms);
    const before = rooms.store.commits;
    await Promise.all(Array.from({ length: 50 }, (_, at) => desk.take(event(at + 1))));
    assert.equal(rooms.store.commits, before + 1);
    await desk.take(event(50, "the same again"));
  }
  await using rooms = await openRooms({ path: folder.path });
  const desk = await intake(rooms);
  assert.equal(desk.through, 50);
  await desk.take(event(49, "the same again"));
  await desk.take(event(51));
  assert.equal((await kept(rooms)).length, 51);
  assert.deepEqual(await kept(rooms, { last: 2 }), ["n-a:50 event 50", "n-a:51 event 51"]);
});

test("a result goes to its command, and one of a command that never was is told and acknowledged", async () => {
  await using rooms = await openRooms();
  const command = create(CommandSchema, {
    id: "c1",
    request: { case: "startRuntime", value: { name: "plc1" } },
  });
  await rooms.commands.submit("n-a", command, { actor: "operator/t", expiresInMs: 0 });
  const desk = await intake(rooms);
  await Promise.all([desk.take(result(1, "c9")), desk.take(result(2, "c1")), desk.take(result(3, "c1"))]);
  assert.equal((await rooms.commands.get("c1")).result?.outcome.case, "startRuntime");
  assert.equal((await intake(rooms)).through, 3);
  assert.match(rooms.fleet.get("n-a").warning, /answered the command c9, which this hub does not have/);
});

async function whatTheDiskDoesNotTake(): Promise<void> {
  using disk = smallDisk(4 << 20);
  await using rooms = await openRooms({ path: disk.path });
  const desk = await intake(rooms);
  await desk.take(event(1));
  const release = fill(disk.path);
  await assert.rejects(desk.take(event(2, "x".repeat(900_000))), { kind: "exhausted" });
  release();
  await assert.rejects(desk.take(event(3)), { kind: "conflict" });
  const again = await intake(rooms);
  assert.equal(again.through, 1);
  await again.take(event(2));
  assert.deepEqual(await kept(rooms), ["n-a:1 event 1", "n-a:2 event 2"]);
}

if (storesAreFiles()) {
  test(
    "what the disk does not take is not acknowledged, nor is what comes after it on the same stream",
    whatTheDiskDoesNotTake,
  );
}

test("a journal that begins anew has its own numbers, and a disk that is put back finds its old ones", async () => {
  await using rooms = await openRooms();
  const first = await intake(rooms, { lastSequence: 9 });
  for (const sequence of [1, 2, 3]) await first.take(event(sequence));
  rooms.pass(1000);

  const second = await intake(rooms, { journalId: "j2", lastSequence: 1 });
  assert.equal(second.through, 0);
  assert.match(rooms.fleet.get("n-a").warning, /journal began anew: 6 entries of the one before never came/);
  await second.take(event(1, "of the new disk"));
  rooms.pass(1000);

  assert.equal((await intake(rooms)).through, 3);
  assert.equal((await kept(rooms)).length, 4);
});

test("watchers get what is kept, then what comes, of one node or of all, in the order of positions", async () => {
  await using rooms = await openRooms({ nodes: ["n-a", "n-b"] });
  const [a, b] = [await intake(rooms), await intake(rooms, { nodeId: "n-b" })];
  await Promise.all([a.take(event(1)), b.take(event(1)), a.take(event(2))]);
  assert.deepEqual(await kept(rooms), ["n-a:1 event 1", "n-b:1 event 1", "n-a:2 event 2"]);
  assert.deepEqual(await kept(rooms, { nodeId: "n-a", last: 1 }), ["n-a:2 event 2"]);
  assert.deepEqual(await kept(rooms, { afterPosition: 2n, last: 1000 }), ["n-a:2 event 2"]);
  assert.deepEqual(await kept(rooms, {}), [], "from now on, and now there is nothing");

  const stop = new AbortController();
  const watch = rooms.reports.watch({ nodeId: "n-b", stopWhenCaughtUp: false }, stop.signal);
  const next = watch.next();
  await Promise.all([a.take(event(3)), b.take(event(2))]);
  const { value } = await next;
  assert.deepEqual([value?.nodeId, value?.sequence, value?.position], ["n-b", 2n, 5n]);
  const last = watch.next();
  stop.abort();
  assert.equal((await last).done, true);
});

test("only the newest events are kept, and a watcher who comes late goes on with the oldest that is left", async () => {
  await using rooms = await openRooms({ eventLimit: 100 });
  const desk = await intake(rooms);
  await Promise.all(Array.from({ length: 1050 }, (_, at) => desk.take(event(at + 1))));
  await rooms.reports.forget(AbortSignal.timeout(60_000));
  const left = await kept(rooms, { afterPosition: 1n });
  assert.equal(left[0], "n-a:951 event 951");
  assert.equal(left.length, 100);
});

test("events go with time, thousands of them, and heads of audit trails later", async () => {
  await using rooms = await openRooms();
  const desk = await intake(rooms);
  const fact = { case: "auditCheckpoint" as const, value: {} };
  const entry = { case: "event" as const, value: { reason: "head", fact } };
  await desk.take(create(ReportSchema, { sequence: 1n, entry }));
  await Promise.all(Array.from({ length: 2100 }, (_, at) => desk.take(event(at + 2))));
  rooms.pass(3_600_001);
  await desk.take(event(2102));
  await rooms.reports.forget(AbortSignal.timeout(60_000));
  assert.deepEqual(await kept(rooms), ["n-a:1 head", "n-a:2102 event 2102"]);
  rooms.pass(3_600_001);
  await rooms.reports.forget(AbortSignal.timeout(60_000));
  assert.deepEqual(await kept(rooms), []);
});
