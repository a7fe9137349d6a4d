/** What a rollout does next, as a table of situations. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Course, type Part, type PartState, plan, type Sight } from "../../../src/hub/rollouts/plan.ts";
import { batchOf } from "../../../src/hub/rollouts/request.ts";

const course: Course = { batch: 2, maxFailures: 0, timeoutMs: 60_000, skipOffline: false, calledOffBy: "" };
const sight: Sight = { now: 1000, settled: true, has: () => true, isConnected: () => true };

const states: Readonly<Record<string, PartState>> = {
  w: "waiting",
  r: "running",
  l: "running",
  s: "succeeded",
  f: "failed",
  k: "skipped",
};

/** Nodes 0, 1, ... as letters: waiting, running, late, succeeded, failed, skipped. */
function parts(letters: string): Part[] {
  return Array.from(letters, (letter, place) => ({
    place,
    nodeId: String(place),
    state: states[letter] ?? assert.fail(letter),
    ...("rlsf".includes(letter) && { deadlineAt: letter === "l" ? 1000 : 1001 }),
  }));
}

/** What is done, as in `begin 0, failed 1: running`. */
function told(letters: string, given: Partial<Course> = {}, seen: Partial<Sight> = {}): string {
  const { steps, state } = plan({ ...course, ...given }, parts(letters), { ...sight, ...seen });
  const words = steps.map((step) => `${step.does === "begin" ? "begin" : step.state} ${step.part.nodeId}`);
  return `${words.join(", ")}: ${state}`;
}

describe("what a rollout does next", () => {
  it("begins a batch when all of the one before have ended", () => {
    assert.equal(told("wwwww"), "begin 0, begin 1: running");
    assert.equal(told("srwww"), ": running");
    assert.equal(told("sswww"), "begin 2, begin 3: running");
    assert.equal(told("rwwww"), "begin 1: running", "a batch that was begun in part is begun whole");
    assert.equal(told("ssssw"), "begin 4: running");
    assert.equal(told("sssss"), ": succeeded");
    assert.equal(told("kkkkk"), ": succeeded");
  });

  it("ends when more failed than may, once those in work have ended", () => {
    assert.equal(told("frwww"), "skipped 2, skipped 3, skipped 4: running");
    assert.equal(told("frkkk"), ": running");
    assert.equal(told("fskkk"), ": failed");
    assert.equal(told("fswww"), "skipped 2, skipped 3, skipped 4: failed");
    assert.equal(told("fswww", { maxFailures: 1 }), "begin 2, begin 3: running");
    assert.equal(told("fssss", { maxFailures: 1 }), ": succeeded");
    assert.equal(told("fsfss", { maxFailures: 1 }), ": failed");
  });

  it("has failed nodes that are late, but not before nodes could come back to a hub that was away", () => {
    assert.equal(told("slwww"), "failed 1, skipped 2, skipped 3, skipped 4: failed");
    assert.equal(told("slwww", { maxFailures: 1 }), "failed 1, begin 2, begin 3: running");
    assert.equal(told("slwww", {}, { settled: false }), ": running");
  });

  it("leaves out who is away when that was asked, and passes over batches of nobody", () => {
    const isConnected = (id: string) => Number(id) > 3;
    assert.equal(told("wwwww", {}, { isConnected }), "begin 0, begin 1: running");
    const skipOffline = true;
    assert.equal(
      told("wwwww", { skipOffline }, { isConnected }),
      "skipped 0, skipped 1, skipped 2, skipped 3, begin 4: running",
    );
    assert.equal(told("www", { skipOffline }, { isConnected }), "skipped 0, skipped 1, skipped 2: succeeded");
    const settled = false;
    assert.equal(told("wwwww", { skipOffline }, { isConnected, settled }), ": running", "who knows yet");
    const first = (id: string) => id === "0";
    assert.equal(told("www", { skipOffline }, { isConnected: first, settled }), "begin 0: running");
  });

  it("leaves out who was removed before its turn", () => {
    assert.equal(told("wwww", {}, { has: (id) => id !== "0" }), "skipped 0, begin 1: running");
  });

  it("ends when it is called off, once those in work have ended", () => {
    const calledOffBy = "operator/a";
    assert.equal(told("srwww", { calledOffBy }), "skipped 2, skipped 3, skipped 4: running");
    assert.equal(told("sskkk", { calledOffBy }), ": cancelled");
    assert.equal(told("ffkkk", { calledOffBy }), ": cancelled");
  });
});

describe("how many nodes a batch has", () => {
  it("is a number, a part rounded up, or all", () => {
    assert.deepEqual(
      [batchOf("", 7), batchOf("3", 7), batchOf("10%", 7), batchOf("50%", 7), batchOf("100%", 7)],
      [7, 3, 1, 4, 7],
    );
    assert.equal(batchOf("10%", 10_000), 1000);
  });
});
