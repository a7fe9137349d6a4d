/** Rollouts on a real store and real queues; the nodes are the test's words. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RolloutState } from "../../../gen/edge/v1/rollouts_pb.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { fillQueue, openRooms } from "../fleet/rooms.ts";
import { answer, begin, inShort, requestOf, sentenceOf, take } from "./fleet.ts";

const nodes = ["n-a", "n-b", "n-c"];
const who = "operator/t";

describe("a rollout", () => {
  it("gives each node one command, batch after batch, and ends with its last node", async () => {
    await using rooms = await openRooms({ nodes });
    const begun = await begin(rooms, requestOf(nodes, { batch: "50%", nodeTimeoutMs: 60_000n }));
    assert.equal(inShort(begun), "running: running running waiting");
    assert.deepEqual(
      begun.nodes.map(({ commandId }) => commandId),
      ["r1-1", "r1-2", ""],
    );
    const { command } = await rooms.commands.get("r1-1");
    assert.deepEqual([command?.actor, command?.budgetMs], [who, 60_000]);

    await answer(rooms, "n-a", "r1-1", "done");
    await rooms.rollouts.advance();
    assert.equal(inShort(await rooms.rollouts.get("r1")), "running: succeeded running waiting");
    await answer(rooms, "n-b", "r1-2", "done");
    await rooms.rollouts.advance();
    assert.equal(inShort(await rooms.rollouts.get("r1")), "running: succeeded succeeded running");
    await answer(rooms, "n-c", "r1-3", "done");
    await rooms.rollouts.advance();
    const over = await rooms.rollouts.get("r1");
    assert.equal(inShort(over), "succeeded: succeeded succeeded succeeded");
    assert.equal(over.counts?.succeeded, 3);
    assert.deepEqual(over.nodes[0]?.runtimes[0]?.changes, [], "what differed is left out");
    assert.ok(over.finishedAt);
  });

  it("stops at one failure too many, and awaits who is in work", async () => {
    await using rooms = await openRooms({ nodes: [...nodes, "n-d"] });
    await begin(rooms, requestOf([...nodes, "n-d"], { batch: "3", maxFailures: 1 }));
    await answer(rooms, "n-a", "r1-1", "half");
    await answer(rooms, "n-b", "r1-2", "refused");
    await rooms.rollouts.advance();
    const stopped = await rooms.rollouts.get("r1");
    assert.equal(inShort(stopped), "running: failed failed running skipped");
    assert.match(stopped.reason, /2 nodes failed, and at most 1 may; 1 node in work is awaited/);
    assert.match(sentenceOf(stopped, "n-a"), /no image/, "a runtime's failure is the node's");
    await answer(rooms, "n-c", "r1-3", "done");
    await rooms.rollouts.advance();
    assert.equal(inShort(await rooms.rollouts.get("r1")), "failed: failed failed succeeded skipped");
  });

  it("fails nodes that do not answer in time, that were removed, and whose queue is full", async () => {
    await using rooms = await openRooms({ nodes: [...nodes, "n-full", "n-gone"] });
    await fillQueue(rooms, "n-full", 1000);
    const all = ["n-a", "n-b", "n-full", "n-c", "n-gone"];
    const limits = { maxFailures: 5, nodeTimeoutMs: 60_000n, batch: "4" };
    const begun = await begin(rooms, requestOf(all, limits));
    assert.equal(inShort(begun), "running: running running failed running waiting");
    assert.match(sentenceOf(begun, "n-full"), /1000 commands already wait/);
    await take(rooms, "n-a");
    await rooms.fleet.remove("n-c");
    await rooms.fleet.remove("n-gone");
    rooms.pass(60_001);
    await rooms.commands.expire();
    await rooms.rollouts.advance();
    const over = await rooms.rollouts.get("r1");
    assert.equal(inShort(over), "succeeded: failed failed failed failed skipped");
    assert.match(sentenceOf(over, "n-a"), /did not answer within 60 s/);
    assert.match(sentenceOf(over, "n-b"), /did not take the command in time/);
    assert.match(sentenceOf(over, "n-c"), /was removed from the fleet/);
    assert.match(sentenceOf(over, "n-gone"), /was removed from the fleet before its turn/);
  });

  it("that is called off begins no more, takes back what no node has, and awaits the rest", async () => {
    await using rooms = await openRooms({ nodes });
    await begin(rooms, requestOf(nodes, { batch: "2" }));
    await take(rooms, "n-a");
    const called = await rooms.rollouts.cancel("r1", "operator/other");
    assert.equal(inShort(called), "running: running skipped skipped");
    assert.match(called.reason, /called off by operator\/other; 1 node in work is awaited/);
    assert.deepEqual(await take(rooms, "n-b"), [], "it never gets there");
    assert.deepEqual(await rooms.commands.deliveries.calledOff("n-a"), [], "who has it goes on");
    await answer(rooms, "n-a", "r1-1", "done");
    await rooms.rollouts.advance();
    const over = await rooms.rollouts.get("r1");
    assert.equal(inShort(over), "cancelled: succeeded skipped skipped");
    assert.deepEqual(await rooms.rollouts.cancel("r1", who), over, "one that has ended stays as it is");
    await assert.rejects(rooms.rollouts.cancel("r9", who), { kind: "not_found" });
  });

  it("takes the nodes that have the labels now", async () => {
    await using rooms = await openRooms({ nodes });
    const site = { key: "site", value: "graz" };
    for (const id of ["n-c", "n-a"]) await rooms.fleet.label(id, { set: [site], remove: [] });
    const rollout = await begin(rooms, requestOf([], { selector: [site], batch: "1" }));
    await rooms.fleet.label("n-b", { set: [site], remove: [] });
    assert.deepEqual(
      rollout.nodes.map(({ nodeId }) => nodeId),
      ["n-a", "n-c"],
    );
  });

  it("is refused when it cannot be, and the same again is the same", async () => {
    await using rooms = await openRooms({ nodes });
    const start = (request: ReturnType<typeof requestOf>) => rooms.rollouts.start(request, { actor: who });
    const selector = [{ key: "site", value: "nowhere" }];
    await assert.rejects(start(requestOf(["n-x"])), { kind: "not_found" });
    await assert.rejects(start(requestOf([])), { kind: "invalid", message: /selector: is required/ });
    await assert.rejects(start(requestOf(["n-a"], { selector })), { kind: "invalid" });
    await assert.rejects(start(requestOf([], { selector })), {
      kind: "invalid",
      message: /no node has site=nowhere/,
    });
    const [one, other] = await Promise.all([start(requestOf(["n-a"])), start(requestOf(["n-a"]))]);
    assert.deepEqual([one.id, other.id], ["r1", "r1"]);
    await assert.rejects(start(requestOf(["n-b"])), { kind: "conflict", message: /another rollout/ });
    await assert.rejects(start(requestOf(["n-b", "n-a"], { id: "r2" })), {
      kind: "conflict",
      message: /node n-a is in the rollout r1/,
    });
    await start(requestOf(["n-b"], { id: "r2" }));
    await rooms.rollouts.advance();
    await answer(rooms, "n-a", "r1-1", "done");
    await rooms.rollouts.advance();
    assert.equal((await start(requestOf(["n-a"]))).state, RolloutState.SUCCEEDED);
    assert.deepEqual(
      (await rooms.rollouts.list(0)).map(({ id, counts, nodes }) => [id, counts?.succeeded, nodes.length]),
      [
        ["r2", 0, 0],
        ["r1", 1, 0],
      ],
    );
  });

  it("does not hold against nodes that the hub was away", async () => {
    using folder = tempFolder();
    {
      await using rooms = await openRooms({ path: folder.path, nodes });
      await begin(rooms, requestOf(nodes, { batch: "1", nodeTimeoutMs: 60_000n, skipOffline: true }));
      rooms.fleet.presence.arrived("n-a");
      await rooms.rollouts.advance();
      assert.equal(inShort(await rooms.rollouts.get("r1")), "succeeded: skipped skipped skipped");
    }
    {
      await using rooms = await openRooms({ path: folder.path, nodes });
      const again = requestOf(nodes, { id: "r2", batch: "1", nodeTimeoutMs: 60_000n, skipOffline: true });
      rooms.fleet.presence.arrived("n-a");
      await begin(rooms, again);
      await take(rooms, "n-a");
    }
    await using rooms = await openRooms({ path: folder.path, nodes, settleMs: 3_600_000 });
    rooms.pass(120_000);
    await rooms.rollouts.advance();
    assert.equal(inShort(await rooms.rollouts.get("r2")), "running: running waiting waiting");
    await answer(rooms, "n-a", "r2-1", "done");
    await rooms.rollouts.advance();
    assert.equal(inShort(await rooms.rollouts.get("r2")), "running: succeeded waiting waiting");
    rooms.fleet.presence.arrived("n-b");
    await rooms.rollouts.advance();
    assert.equal(inShort(await rooms.rollouts.get("r2")), "running: succeeded running waiting");
  });

  it("is watched from now to its end", async () => {
    await using rooms = await openRooms({ nodes });
    await begin(rooms, requestOf(["n-a", "n-b"], { batch: "1" }));
    const { signal } = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const rollout of rooms.rollouts.watch("r1", signal)) seen.push(inShort(rollout));
    })();
    for (const [nodeId, id] of [
      ["n-a", "r1-1"],
      ["n-b", "r1-2"],
    ] as const) {
      await answer(rooms, nodeId, id, "done");
      await rooms.rollouts.advance();
    }
    await watching;
    assert.equal(seen.at(-1), "succeeded: succeeded succeeded");
    await assert.rejects(rooms.rollouts.watch("r9", signal).next(), { kind: "not_found" });
  });
});
