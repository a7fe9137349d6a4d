import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandState } from "../../../gen/edge/v1/fleet_pb.ts";
import { commandWindow } from "../../../src/wire/limits.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { fill } from "../reports/fill.ts";
import { type Hub, listRuntimes, startHub, startPlc } from "./hub.ts";

const asked = { actor: "operator/t", expiresInMs: 0 };
const soon = () => AbortSignal.timeout(60_000);
const submit = (hub: Hub, id: string) => hub.commands.submit("n-a", startPlc(id), asked);
const result = (sequence: bigint, commandId: string) => ({
  case: "report" as const,
  value: {
    sequence,
    entry: {
      case: "result" as const,
      value: { commandId, outcome: { case: "startRuntime" as const, value: {} } },
    },
  },
});

test("a command goes down, is acknowledged, reports progress, and its result comes up and is acknowledged", async () => {
  await using hub = await startHub();
  using node = hub.dial(await hub.enrol("n-a"));
  node.hello();
  const welcome = await node.next("welcome");
  assert.deepEqual([welcome.nodeId, welcome.protocol, welcome.reportsThrough], ["n-a", 1, 0n]);
  assert.equal(welcome.leaseMs, 3 * welcome.beatIntervalMs);

  await submit(hub, "c1");
  const { sequence, command } = await node.next("command");
  assert.deepEqual([sequence, command?.id, command?.actor], [1n, "c1", "operator/t"]);
  node.send({ case: "commandsAck", value: { throughSequence: 1n } });
  const watch = hub.commands.watch("c1", soon());
  node.send({ case: "progress", value: { commandId: "c1", phase: "starting" } });
  for await (const { command, progress } of watch) {
    if (command.state === CommandState.ACCEPTED && progress?.phase === "starting") break;
  }

  node.send(result(1n, "c1"));
  assert.equal((await hub.commands.result("c1", soon())).outcome.case, "startRuntime");
  assert.equal((await node.next("reportsAck")).throughSequence, 1n);
});

test("commands wait for a node that is away, go down in order and within the window, and again after a break", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  const ids = Array.from({ length: commandWindow + 6 }, (_, at) => `c${at + 1}`);
  await Promise.all(ids.map((id) => submit(hub, id)));
  const received = async (node: Awaited<ReturnType<Hub["connect"]>>, count: number) => {
    const got: string[] = [];
    while (got.length < count) got.push((await node.next("command")).command?.id ?? "");
    return got;
  };

  using first = await hub.connect(identity);
  assert.deepEqual(await received(first, commandWindow), ids.slice(0, commandWindow));
  const read = hub.line.read("n-a", listRuntimes("r1"), soon()).catch(() => {});
  assert.equal(
    (await first.next("command")).command?.id,
    "r1",
    "the window is full, and a read goes past it",
  );
  first.send({ case: "commandsAck", value: { throughSequence: 2n } });
  assert.deepEqual(await received(first, 2), ids.slice(commandWindow, commandWindow + 2));

  // It has two on its disk and had answered one of them; the answer came through, its acknowledgement did not.
  first.send(result(1n, "c1"));
  await hub.commands.result("c1", soon());
  first[Symbol.dispose]();
  await read;
  using second = await hub.connect(identity, { sessionEpoch: 2n, lastCommandSequence: 2n });
  assert.deepEqual(await received(second, 3), ["c3", "c4", "c5"]);
});

test("a result that is sent twice is kept once, and a hub that starts again knows where it was", async () => {
  using folder = tempFolder();
  {
    await using hub = await startHub({ path: folder.path });
    const identity = await hub.enrol("n-a");
    await submit(hub, "c1");
    using node = await hub.connect(identity);
    await node.next("command");
    node.send(result(1n, "c1"));
    node.send(result(1n, "c1"));
    assert.equal((await node.next("reportsAck")).throughSequence, 1n);
  }
  await using hub = await startHub({ path: folder.path });
  const identity = await hub.enrol("n-a");
  using node = hub.dial(identity);
  node.hello({ sessionEpoch: 2n, lastCommandSequence: 1n });
  assert.equal((await node.next("welcome")).reportsThrough, 1n);
  assert.equal(hub.fleet.get("n-a").pendingCommands, 0);
  node.send(result(1n, "c1"));
  assert.equal((await node.next("reportsAck")).throughSequence, 1n, "what comes again is acknowledged again");
});

test("a result of a command that was never sent is told to operators, acknowledged, and harms nobody", async () => {
  await using hub = await startHub();
  using node = await hub.connect(await hub.enrol("n-a"));
  node.send(result(1n, "nobody-asked"));
  assert.equal((await node.next("reportsAck")).throughSequence, 1n);
  assert.match(hub.fleet.get("n-a").warning, /nobody-asked, which this hub does not have/);
});

test("a command that is called off after it went down is told to the node, also after a break", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  using first = await hub.connect(identity);
  await submit(hub, "c1");
  await first.next("command");
  await hub.commands.cancel("c1");
  assert.equal((await first.next("cancel")).commandId, "c1");
  first[Symbol.dispose]();
  await until("the node is away", () => !hub.fleet.isConnected("n-a"));

  using second = await hub.connect(identity, { sessionEpoch: 2n, lastCommandSequence: 1n });
  assert.equal((await second.next("cancel")).commandId, "c1");
});

test("a command that is called off while it waits behind the window goes down before its calling off", async () => {
  await using hub = await startHub();
  using node = await hub.connect(await hub.enrol("n-a"));
  await Promise.all(Array.from({ length: commandWindow + 1 }, (_, at) => submit(hub, `c${at + 1}`)));
  for (let got = 0; got < commandWindow; got++) await node.next("command");
  await hub.commands.cancel(`c${commandWindow + 1}`);
  await hub.commands.cancel("c1");
  assert.equal((await node.next("cancel")).commandId, "c1");
  assert.equal(node.count("cancel"), 0);

  node.send({ case: "commandsAck", value: { throughSequence: 1n } });
  assert.equal((await node.next("cancel")).commandId, `c${commandWindow + 1}`);
  assert.equal(node.count("command"), 1, "the command itself was there before");
});

test("a node that reports faster than the disk is slowed down, and every report is kept once and in order", async () => {
  await using hub = await startHub();
  using node = await hub.connect(await hub.enrol("n-a"));
  const count = 2_000;
  for (let at = 1; at <= count; at++) {
    const entry = { case: "event" as const, value: { reason: `event ${at}` } };
    node.send({ case: "report", value: { sequence: BigInt(at), entry } });
  }
  while ((await node.next("reportsAck")).throughSequence < count);
  let expected = 1;
  for await (const { sequence } of hub.reports.watch({ last: count, stopWhenCaughtUp: true }, soon())) {
    assert.equal(Number(sequence), expected++);
  }
  assert.equal(expected, count + 1);
  assert.ok(hub.store.commits < count, "many share a commit");
});

test("what the hub's disk does not take is not acknowledged: the stream ends with the reason, and it comes again", async () => {
  using disk = smallDisk(4 << 20);
  await using hub = await startHub({ path: disk.path });
  const identity = await hub.enrol("n-a");
  using first = await hub.connect(identity);
  await hub.commands.submit("n-a", startPlc("c1"), { actor: "operator/t", expiresInMs: 0 });
  const release = fill(disk.path);
  const outcome = { case: "failure" as const, value: { message: "x".repeat(900_000) } };
  const entry = { case: "result" as const, value: { commandId: "c1", outcome } };
  first.send({ case: "report", value: { sequence: 1n, entry } });
  const { code, message } = await first.ended;
  assert.equal(code, 8, "RESOURCE_EXHAUSTED");
  assert.match(message, /no space left for .*hub\.db/);
  assert.equal(first.count("reportsAck"), 0);

  release();
  using second = hub.dial(identity);
  second.hello({ sessionEpoch: 2n });
  assert.equal((await second.next("welcome")).reportsThrough, 0n);
  second.send({ case: "report", value: { sequence: 1n, entry } });
  assert.equal((await second.next("reportsAck")).throughSequence, 1n);
});
