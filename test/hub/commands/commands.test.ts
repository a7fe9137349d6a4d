import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  type Command,
  CommandSchema,
  ProgressSchema,
  ResultSchema,
} from "../../../gen/edge/v1/command_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { CommandState, type FleetCommand } from "../../../gen/edge/v1/fleet_pb.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { fillQueue, openRooms, type Rooms } from "../fleet/rooms.ts";

const start = (id: string, name = "plc1"): Command =>
  create(CommandSchema, { id, request: { case: "startRuntime", value: { name } } });
const done = (commandId: string) =>
  create(ResultSchema, { commandId, outcome: { case: "startRuntime", value: {} } });
const soon = () => AbortSignal.timeout(60_000);
const asked = { actor: "operator/t", expiresInMs: 60_000 };

const submit = (rooms: Rooms, id: string) => rooms.commands.submit("n-a", start(id), asked);
const answer = (rooms: Rooms, id: string) =>
  rooms.store
    .write((tx) => rooms.commands.deliveries.finished(tx, "n-a", done(id)))
    .then((one) => one.told());
const sequences = async (rooms: Rooms, after = 0) =>
  (await rooms.commands.deliveries.next("n-a", after, 100)).map((one) => `${one.sequence}:${one.command.id}`);
const failureOf = ({ result }: FleetCommand) =>
  result?.outcome.case === "failure" ? result.outcome.value : assert.fail("it has no failure");

describe("submitting a command", () => {
  it("puts it on disk, in order, with the actor that the door says", async () => {
    using folder = tempFolder();
    {
      await using rooms = await openRooms({ path: folder.path });
      const told = await rooms.commands.submit("n-a", { ...start("c1"), actor: "somebody else" }, asked);
      assert.equal(told.command?.actor, "operator/t");
      assert.equal(told.state, CommandState.QUEUED);
      await submit(rooms, "c2");
    }
    await using rooms = await openRooms({ path: folder.path });
    assert.equal(rooms.fleet.get("n-a").pendingCommands, 2);
    assert.deepEqual(await sequences(rooms), ["1:c1", "2:c2"]);
    const list = await rooms.commands.list("n-a", { pendingOnly: true, limit: 0 });
    assert.deepEqual(
      list.map((one) => one.command?.id),
      ["c2", "c1"],
    );
  });

  it("twice with the same id is the same success, and with another request a conflict", async () => {
    await using rooms = await openRooms({ nodes: ["n-a", "n-b"] });
    const [first, second] = await Promise.all([submit(rooms, "c1"), submit(rooms, "c1")]);
    assert.deepEqual(first, second);
    await assert.rejects(rooms.commands.submit("n-a", start("c1", "plc2"), asked), { kind: "conflict" });
    await assert.rejects(rooms.commands.submit("n-b", start("c1"), asked), { kind: "conflict" });
    assert.deepEqual(await sequences(rooms), ["1:c1"]);
  });

  it("is refused for a node that is not there, a bad request, a read, nothing at all, and a giant", async () => {
    await using rooms = await openRooms();
    const refused = (command: Command, nodeId = "n-a") => rooms.commands.submit(nodeId, command, asked);
    await assert.rejects(refused(start("c1"), "n-x"), {
      kind: "not_found",
      message: /n-x is not in the fleet/,
    });
    await assert.rejects(refused(start("no spaces")), { kind: "invalid" });
    await assert.rejects(refused(create(CommandSchema, { id: "c1" })), { kind: "unsupported" });
    const read = create(CommandSchema, { id: "c1", request: { case: "getNode", value: {} } });
    await assert.rejects(refused(read), {
      kind: "invalid",
      message: /getNode is a read, which is never queued/,
    });
    const env = Array.from({ length: 40 }, (_, at) => ({ name: `A${at}`, value: "x".repeat(30_000) }));
    const request = { case: "createRuntime" as const, value: { spec: { name: "plc1", image: "plc", env } } };
    await assert.rejects(refused(create(CommandSchema, { id: "c1", request })), {
      kind: "exhausted",
      message: /the command is 12\d\d\d\d\d bytes long; at most 1048576/,
    });
    assert.equal(rooms.fleet.get("n-a").pendingCommands, 0);
  });

  it("stops at a thousand that wait", async () => {
    await using rooms = await openRooms();
    await submit(rooms, "c0");
    await fillQueue(rooms, "n-a", 998);
    await submit(rooms, "c1");
    await assert.rejects(submit(rooms, "one-more"), {
      kind: "exhausted",
      message: /1000 commands already wait/,
    });
    await answer(rooms, "c0");
    await submit(rooms, "one-more");
  });
});

describe("time and commands", () => {
  it("one that no line had in time ends as expired, and is never handed out", async () => {
    await using rooms = await openRooms();
    await submit(rooms, "c1");
    const result = rooms.commands.result("c1", soon());
    rooms.pass(60_001);
    assert.deepEqual(await sequences(rooms), [], "before the hub looked, too");
    await rooms.commands.expire();
    assert.equal((await result).outcome.case, "failure");
    const told = await rooms.commands.get("c1");
    assert.equal(told.state, CommandState.EXPIRED);
    assert.equal(failureOf(told).kind, FailureKind.DEADLINE);
    assert.equal(rooms.fleet.get("n-a").pendingCommands, 0);
  });

  it("one that was handed to a line does not expire until the node says that it has it not", async () => {
    await using rooms = await openRooms();
    await submit(rooms, "c1");
    await submit(rooms, "c2");
    assert.deepEqual(await sequences(rooms), ["1:c1", "2:c2"]);
    rooms.pass(60_001);
    await rooms.commands.expire();
    assert.equal((await rooms.commands.get("c1")).state, CommandState.QUEUED, "it may be on the node's disk");

    await rooms.commands.deliveries.resumed("n-a", 1);
    assert.equal((await rooms.commands.get("c1")).state, CommandState.ACCEPTED, "it was");
    assert.equal(
      (await rooms.commands.get("c2")).state,
      CommandState.EXPIRED,
      "it was not, and its time is over",
    );
    assert.deepEqual(await sequences(rooms), []);
  });

  it("one that is submitted while a line is up counts as handed out", async () => {
    await using rooms = await openRooms();
    const stop = rooms.commands.deliveries.attend("n-a", () => {});
    await submit(rooms, "c1");
    stop();
    rooms.pass(60_001);
    await rooms.commands.expire();
    assert.equal((await rooms.commands.get("c1")).state, CommandState.QUEUED);
  });
});

describe("calling a command off", () => {
  it("ends it at once when no line had it", async () => {
    await using rooms = await openRooms();
    await submit(rooms, "c1");
    const told = await rooms.commands.cancel("c1");
    assert.equal(told.state, CommandState.FINISHED);
    assert.equal(failureOf(told).kind, FailureKind.CANCELLED);
    assert.deepEqual(await rooms.commands.cancel("c1"), told, "a finished one stays as it is");
    await assert.rejects(rooms.commands.cancel("c9"), { kind: "not_found" });
  });

  it("is for the node to hear when it may have it, and survives until it answers", async () => {
    using folder = tempFolder();
    {
      await using rooms = await openRooms({ path: folder.path });
      await submit(rooms, "c1");
      await submit(rooms, "c2");
      await sequences(rooms);
      assert.equal((await rooms.commands.cancel("c1")).result, undefined);
      await rooms.commands.cancel("c2");
    }
    await using rooms = await openRooms({ path: folder.path });
    await rooms.commands.deliveries.resumed("n-a", 1);
    assert.deepEqual(await rooms.commands.deliveries.calledOff("n-a"), [{ id: "c1", sequence: 1 }]);
    assert.equal(failureOf(await rooms.commands.get("c2")).kind, FailureKind.CANCELLED, "it never got there");
    await answer(rooms, "c1");
    assert.deepEqual(await rooms.commands.deliveries.calledOff("n-a"), []);
  });
});

describe("what a node says about its commands", () => {
  it("is acknowledged cumulatively, and no further than what it was handed", async () => {
    await using rooms = await openRooms();
    for (const id of ["c1", "c2", "c3"]) await submit(rooms, id);
    await rooms.commands.deliveries.next("n-a", 0, 2);
    await rooms.commands.deliveries.acknowledged("n-a", 99);
    assert.equal((await rooms.commands.get("c2")).state, CommandState.ACCEPTED);
    assert.equal((await rooms.commands.get("c3")).state, CommandState.QUEUED);
  });

  it("gives a command one result, whoever else says another", async () => {
    await using rooms = await openRooms({ nodes: ["n-a", "n-b"] });
    await submit(rooms, "c1");
    const finished = async (nodeId: string, id: string) => {
      const took = await rooms.store.write((tx) => rooms.commands.deliveries.finished(tx, nodeId, done(id)));
      return took.isKnown;
    };
    assert.equal(await finished("n-b", "c1"), false, "it is another node's");
    assert.equal(await finished("n-a", "c9"), false);
    assert.equal(await finished("n-a", "c1"), true);
    assert.equal((await rooms.commands.get("c1")).state, CommandState.FINISHED);
    assert.equal(await finished("n-a", "c1"), true, "again is the same");
  });

  it("reaches who watches: acceptance, the newest progress of its own node, the result, and the end", async () => {
    await using rooms = await openRooms();
    await submit(rooms, "c1");
    const watch = rooms.commands.watch("c1", soon());
    const next = async () => (await watch.next()).value ?? assert.fail("the watch ended");
    assert.equal((await next()).command.state, CommandState.QUEUED);
    await sequences(rooms);
    await rooms.commands.deliveries.acknowledged("n-a", 1);
    assert.equal((await next()).command.state, CommandState.ACCEPTED);
    const progress = (phase: string) => create(ProgressSchema, { commandId: "c1", phase });
    rooms.commands.deliveries.progressed("n-a", progress("pulling image"));
    rooms.commands.deliveries.progressed("n-a", progress("starting"));
    assert.equal((await next()).progress?.phase, "starting");
    rooms.commands.deliveries.progressed("n-b", progress("lying"));
    assert.equal((await next()).progress?.phase, "starting", "another node is not heard");
    await answer(rooms, "c1");
    assert.equal((await next()).command.state, CommandState.FINISHED);
    assert.equal((await watch.next()).done, true);
  });

  it("is waited for until the signal, and not for a command or a node that is not there", async () => {
    await using rooms = await openRooms();
    await submit(rooms, "c1");
    const stop = new AbortController();
    const waiting = rooms.commands.result("c1", stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(rooms.commands.result("c9", soon()), { kind: "not_found" });
    const orphan = rooms.commands.result("c1", soon());
    await rooms.fleet.remove("n-a");
    await assert.rejects(orphan, { kind: "not_found" });
  });
});

describe("a node that comes back", () => {
  it("without its state: what it had and did not answer is not sent again, and its caller is told", async () => {
    await using rooms = await openRooms();
    for (const id of ["c1", "c2", "c3"]) await submit(rooms, id);
    await rooms.commands.deliveries.next("n-a", 0, 2);
    await rooms.commands.deliveries.acknowledged("n-a", 2);
    await answer(rooms, "c1");

    await rooms.commands.deliveries.resumed("n-a", 0);
    assert.equal((await rooms.commands.get("c1")).result?.outcome.case, "startRuntime");
    const lost = failureOf(await rooms.commands.get("c2"));
    assert.equal(lost.kind, FailureKind.UNAVAILABLE);
    assert.match(lost.message, /whether it was carried out is not known/);
    assert.match(rooms.fleet.get("n-a").warning, /the node lost its state: 1 of its commands/);
    assert.deepEqual(await sequences(rooms), ["3:c3"], "the numbers go on");
  });

  it("with more than this hub ever sent: the queue is numbered above that, and nothing counts as accepted", async () => {
    await using rooms = await openRooms();
    await submit(rooms, "c1");
    await submit(rooms, "c2");
    await rooms.commands.deliveries.resumed("n-a", 20);
    assert.match(rooms.fleet.get("n-a").warning, /commands up to 20, and this hub sent it 0/);
    assert.equal((await rooms.commands.get("c1")).state, CommandState.QUEUED);
    assert.deepEqual(await sequences(rooms, 20), ["21:c1", "22:c2"]);
    await submit(rooms, "c3");
    assert.deepEqual(await sequences(rooms, 22), ["23:c3"]);
  });

  it("with more than this hub remembers: what it may have had is asked for again, late or called off or not", async () => {
    await using rooms = await openRooms();
    for (const id of ["c1", "c2", "c3"]) await submit(rooms, id);
    await rooms.commands.deliveries.next("n-a", 0, 2);
    await rooms.commands.cancel("c2");
    rooms.pass(60_001);
    await rooms.commands.deliveries.resumed("n-a", 20);
    assert.deepEqual(await sequences(rooms, 20), ["21:c1", "22:c2"]);
    assert.deepEqual(await rooms.commands.deliveries.calledOff("n-a"), [{ id: "c2", sequence: 22 }]);
    assert.equal((await rooms.commands.get("c3")).state, CommandState.EXPIRED, "it was never handed out");
  });
});
