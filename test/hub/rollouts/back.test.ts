/** Gates, holding and the way back, on a real store; the nodes are the test's words, and the hub ends in between. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openRooms, type Rooms } from "../fleet/rooms.ts";
import { answer, backInShort, begin, inShort, requestOf, says, sentenceOf, take } from "./fleet.ts";

const nodes = ["n-a", "n-b", "n-c"];
const who = "operator/t";
const { RUNNING, CRASH_LOOP } = RuntimePhase;

/** What the rollout is when all that can be done now is done. */
async function now({ rollouts }: Rooms, id = "r1") {
  await rollouts.look();
  return await rollouts.get(id);
}

describe("a rollout with a gate", () => {
  it("counts a node when its runtimes have been healthy for long enough, whatever the hub does meanwhile", async () => {
    using folder = tempFolder();
    let rooms = await openRooms({ path: folder.path, nodes });
    try {
      await begin(rooms, requestOf(nodes, { batch: "1", settleMs: 100_000n }));
      await rooms.connect("n-a");
      says(rooms, "n-a", { phase: RUNNING, health: Health.STARTING });
      await answer(rooms, "n-a", "r1-1", "changed");
      let rollout = await now(rooms);
      assert.equal(inShort(rollout), "running: settling waiting waiting");
      assert.equal(rollout.nodes[0]?.waitsFor, "runtime plc1 has not answered its health check yet");
      assert.equal(rollout.counts?.settling, 1);
      says(rooms, "n-a", { phase: RUNNING, health: Health.HEALTHY });
      await now(rooms);
      rooms.pass(30_000);
      says(rooms, "n-a", { phase: RUNNING, health: Health.HEALTHY, restarts: 1 });
      await now(rooms);
      rooms.pass(90_000);
      assert.equal(
        inShort(await now(rooms)),
        "running: settling waiting waiting",
        "a restart begins the time anew",
      );

      await rooms[Symbol.asyncDispose]();
      rooms = await openRooms({ path: folder.path, nodes: [] });
      rooms.pass(145_000);
      assert.equal(
        inShort(await now(rooms)),
        "running: settling waiting waiting",
        "nobody is there to show it",
      );
      await rooms.connect("n-a");
      says(rooms, "n-a", { phase: RUNNING, health: Health.HEALTHY, restarts: 1 });
      rollout = await now(rooms);
      assert.equal(inShort(rollout), "running: succeeded running waiting");
      assert.equal(rollout.nodes[0]?.runtimes.length, 1, "what was done is still told");
    } finally {
      await rooms[Symbol.asyncDispose]();
    }
  });

  it("fails a node whose runtime ends again and again, and one that is not healthy in time", async () => {
    await using rooms = await openRooms({ nodes });
    await begin(rooms, requestOf(nodes, { settleMs: 10_000n, maxFailures: 3 }));
    for (const [at, id] of nodes.entries()) {
      await rooms.connect(id);
      says(rooms, id, { phase: RUNNING, health: id === "n-b" ? Health.UNHEALTHY : Health.HEALTHY });
      await answer(rooms, id, `r1-${at + 1}`, "changed");
    }
    await now(rooms);
    says(rooms, "n-a", { phase: CRASH_LOOP, reason: "it ended 5 times" });
    assert.equal(inShort(await now(rooms)), "running: failed settling settling");
    rooms.pass(10_000);
    assert.equal(inShort(await now(rooms)), "running: failed settling succeeded");
    rooms.pass(90_000);
    const over = await now(rooms);
    assert.equal(inShort(over), "succeeded: failed failed succeeded");
    assert.equal(sentenceOf(over, "n-a"), "runtime plc1 is in a crash loop: it ended 5 times");
    assert.match(sentenceOf(over, "n-b"), /^it was not healthy for 10 s in time: runtime plc1 is unhealthy$/);
  });
});

describe("a rollout that is held", () => {
  it("begins nobody until it is resumed, also by another hub than the one that was told", async () => {
    using folder = tempFolder();
    let rooms = await openRooms({ path: folder.path, nodes });
    try {
      await begin(rooms, requestOf(nodes, { batch: "1" }));
      assert.equal(inShort(await rooms.rollouts.pause("r1", who)), "paused: running waiting waiting");
      await answer(rooms, "n-a", "r1-1", "done");
      assert.equal(inShort(await now(rooms)), "paused: succeeded waiting waiting");
      assert.match((await now(rooms)).reason, /^the rollout is held by operator\/t$/);
      await rooms[Symbol.asyncDispose]();
      rooms = await openRooms({ path: folder.path, nodes: [] });
      const held = await now(rooms);
      assert.equal(inShort(held), "paused: succeeded waiting waiting");
      assert.deepEqual(await rooms.rollouts.pause("r1", "operator/u"), held, "who held it first did");
      assert.equal(inShort(await rooms.rollouts.resume("r1", who)), "running: succeeded running waiting");
      await assert.rejects(rooms.rollouts.pause("r9", who), { kind: "not_found" });
      assert.equal(inShort(await rooms.rollouts.cancel("r1", who)), "cancelled: succeeded skipped skipped");
    } finally {
      await rooms[Symbol.asyncDispose]();
    }
  });
});

describe("a rollout that goes back", () => {
  it("brings back what each node had when it fails, and names who could not be brought back", async () => {
    using folder = tempFolder();
    let rooms = await openRooms({ path: folder.path, nodes });
    try {
      await begin(rooms, requestOf(nodes, { batch: "2", rollBack: true }));
      await answer(rooms, "n-a", "r1-1", "changed");
      await answer(rooms, "n-b", "r1-2", "badly");
      const going = await now(rooms);
      assert.equal(inShort(going), "rolling back: succeeded failed skipped");
      assert.equal(backInShort(going), "rolling back: running running -");
      const request = (await rooms.commands.get("r1-1b")).command?.request;
      const wishes = request?.case === "applyWishes" ? request.value : assert.fail();
      const images = wishes.runtimes.map(({ image }) => image);
      assert.deepEqual([images, wishes.absentRuntimes], [["plc:old"], ["plc2"]]);

      await rooms[Symbol.asyncDispose]();
      rooms = await openRooms({ path: folder.path, nodes: [] });
      await answer(rooms, "n-a", "r1-1b", "done");
      await answer(rooms, "n-b", "r1-2b", "refused");
      const over = await now(rooms);
      assert.equal(backInShort(over), "failed: done failed -");
      assert.match(
        over.reason,
        /1 node failed, and none may; 1 node has what it had before, and not rolled back: n-b/,
      );
      assert.equal(over.nodes[1]?.back?.failure?.message, "the policy says no");
      assert.equal(sentenceOf(over, "n-b"), "no image", "why it failed is not forgotten");
      const { rolledBack, notRolledBack, rollingBack } = over.counts ?? assert.fail();
      assert.deepEqual([rolledBack, notRolledBack, rollingBack], [1, 1, 0]);

      // Who is stuck is tried again, and only he.
      assert.equal(backInShort(await rooms.rollouts.rollBack("r1", who)), "rolling back: done running -");
      await answer(rooms, "n-b", "r1-2c", "done");
      const back = await now(rooms);
      assert.equal(backInShort(back), "rolled back: done done -");
      assert.deepEqual(await rooms.rollouts.rollBack("r1", who), back, "the same again is the same");
    } finally {
      await rooms[Symbol.asyncDispose]();
    }
  });

  it("goes back when somebody says so: under way, and long after", async () => {
    await using rooms = await openRooms({ nodes });
    await begin(rooms, requestOf(nodes, { batch: "2" }));
    await answer(rooms, "n-a", "r1-1", "changed");
    await now(rooms);
    // n-b has its command and must answer before anybody knows what it had.
    await rooms.connect("n-b");
    await take(rooms, "n-b");
    assert.equal(
      inShort(await rooms.rollouts.rollBack("r1", who)),
      "rolling back: succeeded running skipped",
    );
    await answer(rooms, "n-b", "r1-2", "changed");
    for (const [at, id] of ["n-a", "n-b"].entries()) {
      await now(rooms);
      await answer(rooms, id, `r1-${at + 1}b`, "done");
    }
    assert.equal(backInShort(await now(rooms)), "rolled back: done done -");

    await begin(rooms, requestOf(["n-a"], { id: "r2" }));
    await answer(rooms, "n-a", "r2-1", "changed");
    assert.equal(inShort(await now(rooms, "r2")), "succeeded: succeeded");
    await begin(rooms, requestOf(["n-a"], { id: "r3" }));
    await answer(rooms, "n-a", "r3-1", "changed");
    await now(rooms, "r3");
    await assert.rejects(rooms.rollouts.rollBack("r2", who), {
      kind: "conflict",
      message: /later rollout r3/,
    });
    for (const id of ["r3", "r2"]) {
      assert.equal(backInShort(await rooms.rollouts.rollBack(id, who)), "rolling back: running");
      await answer(rooms, "n-a", `${id}-1b`, "done");
      assert.equal(backInShort(await now(rooms, id)), "rolled back: done");
    }
  });

  it("is driven by several hubs on one store, and does nothing twice", async () => {
    await using rooms = await openRooms({ nodes });
    const other = await rooms.anotherRollouts();
    await begin(rooms, requestOf(nodes, { batch: "1", rollBack: true, maxFailures: 1 }));
    const both = async () => {
      await Promise.all([rooms.rollouts.look(), other.look()]);
      await Promise.all([other.look(), rooms.rollouts.look()]);
      return await other.get("r1");
    };
    await both();
    await answer(rooms, "n-a", "r1-1", "changed");
    assert.equal(inShort(await both()), "running: succeeded running waiting");
    assert.equal(inShort(await other.pause("r1", who)), "paused: succeeded running waiting");
    await answer(rooms, "n-b", "r1-2", "badly");
    assert.equal(inShort(await both()), "paused: succeeded failed waiting");
    await rooms.rollouts.resume("r1", who);
    await answer(rooms, "n-c", "r1-3", "badly");
    await both();
    for (const [at, id] of nodes.entries()) {
      const asked = await rooms.commands.list(id, { pendingOnly: false, limit: 0 });
      assert.deepEqual(asked.map(({ command }) => command?.id).sort(), [`r1-${at + 1}`, `r1-${at + 1}b`]);
      await answer(rooms, id, `r1-${at + 1}b`, "done");
    }
    assert.equal(backInShort(await both()), "rolled back: done done done");
  });
});
