import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { StopRuntimeResponseSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Dispatch } from "../../../src/daemon/work/index.ts";
import { type FakeHub, type HubStream, startFakeHub } from "../../fakes/hub.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { openNode } from "./node.ts";

function stopCommand(id: string): Command {
  return create(CommandSchema, { id, request: { case: "stopRuntime", value: { name: "plc1" } } });
}

/** A hub, a node at it, and the node's first stream. */
async function connected(handle?: Dispatch) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const hub: FakeHub = opened.use(await startFakeHub(join(folder.path, "ca")));
  const node = opened.use(await openNode(folder.path, hub.identity, handle));
  const stream: HubStream = await hub.nextStream();
  const owned = opened.move();
  return { hub, node, stream, folder: folder.path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe("the line", () => {
  it("acknowledges a command when it is on disk, reports its result until the hub has it, and not again", async () => {
    await using it = await connected();
    const hello = await it.stream.welcome();
    assert.equal(hello.sessionEpoch, 1n);
    assert.equal(hello.lastCommandSequence, 0n);
    it.stream.say({ case: "command", value: { sequence: 1n, command: stopCommand("c1") } });
    assert.equal((await it.stream.expect("commandsAck")).throughSequence, 1n);
    const report = await it.stream.expect("report");
    assert.equal(report.sequence, 1n);
    assert.equal(report.entry.case === "result" && report.entry.value.commandId, "c1");

    // The acknowledgement is lost with the stream: the report comes again.
    it.stream.destroy();
    const second = await it.hub.nextStream();
    const again = await second.welcome({ reportsThrough: 0n });
    assert.equal(again.sessionEpoch, 2n);
    assert.equal(again.lastCommandSequence, 1n);
    assert.deepEqual([again.journalFirstSequence, again.journalLastSequence], [1n, 1n]);
    assert.equal((await second.expect("report")).sequence, 1n);
    second.say({ case: "reportsAck", value: { throughSequence: 1n } });
    await until("the journal is empty", () => it.node.journal.range().last === 0);

    second.destroy();
    const third = await it.hub.nextStream();
    await third.welcome({ reportsThrough: 1n });
    third.say({ case: "command", value: { sequence: 2n, command: stopCommand("c2") } });
    assert.equal((await third.expect("report")).sequence, 2n);
  });

  it("answers a read with sequence 0 and keeps nothing of it", async () => {
    await using it = await connected();
    await it.stream.welcome();
    const command = create(CommandSchema, { id: "r1", request: { case: "getNode", value: {} } });
    it.stream.say({ case: "command", value: { sequence: 0n, command } });
    const report = await it.stream.expect("report");
    assert.equal(report.sequence, 0n);
    assert.equal(report.entry.case === "result" && report.entry.value.outcome.case, "getNode");
    assert.equal(it.node.journal.range().last, 0);
  });

  it("answers a command that it does not know with unsupported", async () => {
    await using it = await connected();
    await it.stream.welcome();
    it.stream.say({
      case: "command",
      value: { sequence: 1n, command: create(CommandSchema, { id: "new" }) },
    });
    const report = await it.stream.expect("report");
    assert.ok(report.entry.case === "result" && report.entry.value.outcome.case === "failure");
    assert.equal(report.entry.value.outcome.value.kind, FailureKind.UNSUPPORTED);
    assert.match(report.entry.value.outcome.value.message, /does not know what the command asks/);
  });

  it("refuses a command that is over the limit, and outlives a frame that the transport does not take", async () => {
    await using it = await connected();
    await it.stream.welcome();
    const large = (sizeBytes: number) =>
      create(CommandSchema, {
        id: "large",
        actor: "x".repeat(sizeBytes),
        request: stopCommand("large").request,
      });
    it.stream.say({ case: "command", value: { sequence: 1n, command: large(1_500_000) } });
    const report = await it.stream.expect("report");
    assert.ok(report.entry.case === "result" && report.entry.value.outcome.case === "failure");
    assert.equal(report.entry.value.outcome.value.kind, FailureKind.EXHAUSTED);
    assert.match(
      report.entry.value.outcome.value.message,
      /the command is 15\d{5} bytes long; at most 1048576 are allowed/,
    );
    it.stream.say({ case: "command", value: { sequence: 2n, command: large(5_000_000) } });
    const second = await it.hub.nextStream();
    const hello = await second.welcome();
    assert.equal(hello.lastCommandSequence, 1n);
    await until("the line is up", () => it.node.line.state.is === "up");
  });

  it("destroys the connection when the hub is silent for a lease, and comes back", async () => {
    await using it = await connected();
    await it.stream.welcome({ leaseMs: 200, beatIntervalMs: 50 });
    await it.stream.expect("beat");
    await it.stream.ended;
    await (await it.hub.nextStream()).welcome();
    await until("the line is up", () => it.node.line.state.is === "up");
  });

  it("beats at the pace that the hub sets, and a status is sent at the beginning", async () => {
    await using it = await connected();
    await it.stream.welcome({ beatIntervalMs: 60_000 });
    assert.equal((await it.stream.expect("status")).engineReachable, true);
    it.stream.say({ case: "pace", value: { beatIntervalMs: 20, leaseMs: 10_000 } });
    // The beat that was waited for when the pace changed is the last at the old one.
    assert.equal(it.stream.heard.filter((one) => one.body.case === "beat").length, 1);
    it.stream.destroy();
    const second = await it.hub.nextStream();
    await second.welcome({ beatIntervalMs: 20 });
    for (let beats = 0; beats < 3; beats++) await second.expect("beat");
  });

  it("calls a command off when the hub says so", async () => {
    const called = Promise.withResolvers<void>();
    await using it = await connected(async (_, { signal }) => {
      called.resolve();
      await sleep(60_000, undefined, { signal }).catch(() => {});
      throw signal.reason;
    });
    await it.stream.welcome();
    it.stream.say({ case: "command", value: { sequence: 1n, command: stopCommand("c1") } });
    await called.promise;
    it.stream.say({ case: "cancel", value: { commandId: "c1" } });
    const report = await it.stream.expect("report");
    assert.ok(report.entry.case === "result" && report.entry.value.outcome.case === "failure");
    assert.equal(report.entry.value.outcome.value.kind, FailureKind.CANCELLED);
  });

  it("tells progress, the newest of each command", async () => {
    const go = Promise.withResolvers<void>();
    await using it = await connected(async (_, { progress }) => {
      for (let done = 1; done <= 1000; done++) progress("pulling image", done, 1000);
      await go.promise;
      return { case: "stopRuntime", value: create(StopRuntimeResponseSchema) };
    });
    await it.stream.welcome();
    it.stream.say({ case: "command", value: { sequence: 1n, command: stopCommand("c1") } });
    const progress = await it.stream.expect("progress");
    assert.deepEqual([progress.phase, progress.doneBytes], ["pulling image", 1000n]);
    go.resolve();
    await it.stream.expect("report");
    assert.equal(it.stream.heard.filter((one) => one.body.case === "progress").length, 1);
  });

  it("ends the stream over what no hub may say, and nothing of it is kept", async () => {
    await using it = await connected();
    const command = stopCommand("c1");
    await it.stream.welcome();
    it.stream.say({ case: "command", value: { sequence: 1n << 60n, command } });
    const second = await it.hub.nextStream();
    const hello = await second.welcome({ leaseMs: 2 ** 32 - 1 });
    assert.equal(hello.lastCommandSequence, 0n);
    const third = await it.hub.nextStream();
    await third.welcome({ serverTime: { seconds: 1n << 60n } });
    const fourth = await it.hub.nextStream();
    await fourth.welcome();
    await until("the line is up", () => it.node.line.state.is === "up");
    assert.ok(Math.abs(it.node.line.hubOffsetMs ?? 0) < 60_000);
  });

  it("begins a new journal when the hub has more of it than there is", async () => {
    await using it = await connected();
    const hello = await it.stream.welcome({ reportsThrough: 7n });
    const second = await it.hub.nextStream();
    const again = await second.welcome();
    assert.notEqual(again.journalId, hello.journalId);
  });

  it("stays away for a while when it is rejected for good, and says why", async () => {
    await using it = await connected();
    await it.stream.expect("hello");
    it.stream.say({
      case: "reject",
      value: { code: RejectCode.REMOVED, retryable: false, message: "this node was removed from the fleet" },
    });
    await until("the line is down", () => it.node.line.state.is === "down");
    const { state } = it.node.line;
    assert.ok(state.is === "down");
    assert.equal(
      state.why.message,
      "the hub does not let this node in: this node was removed from the fleet",
    );
    assert.ok(state.retryAt - Date.now() > 30_000);
  });

  it("believes no hub of another authority", async () => {
    using folder = tempFolder();
    await using hub = await startFakeHub(join(folder.path, "ca"));
    await using other = await startFakeHub(join(folder.path, "other"));
    const identity = { ...hub.identity, lineAddresses: [other.address] };
    await using node = await openNode(folder.path, identity);
    const { why } = await until("the line is down", () =>
      node.line.state.is === "down" ? node.line.state : undefined,
    );
    assert.match(
      why.message,
      /what answers at 127\.0\.0\.1 is not believed to be the hub: its certificate comes from "CN=/,
    );
    assert.equal(other.streams, 0);
  });

  it("says Bye when the daemon stops", async () => {
    const it = await connected();
    await it.stream.welcome();
    await until("the line is up", () => it.node.line.state.is === "up");
    await it[Symbol.asyncDispose]();
    assert.equal(it.stream.heard.at(-1)?.body.case, "bye");
  });
});
