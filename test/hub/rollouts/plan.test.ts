/** What a rollout does next, as a table of situations. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StartRolloutRequestSchema } from "../../../gen/edge/v1/rollouts_pb.ts";
import type { Course, Part, PartState, Sight } from "../../../src/hub/rollouts/part.ts";
import { plan } from "../../../src/hub/rollouts/plan.ts";
import { backIdOf, batchOf, commandIdOf, courseOf, partOf } from "../../../src/hub/rollouts/request.ts";

const course: Course = {
  ...{ batch: 2, maxFailures: 0, timeoutMs: 60_000, skipOffline: false, settleMs: 0, rollBack: false },
  ...{ calledOffBy: "", pausedBy: "", backBy: "" },
};
const sight: Sight = {
  ...{ now: 1000, settled: true, has: () => true, isConnected: () => true },
  wellbeing: () => ({ is: "well", restarts: 0 }),
};

const states: Readonly<Record<string, PartState>> = {
  w: "waiting",
  r: "running",
  l: "running",
  s: "succeeded",
  f: "failed",
  k: "skipped",
  t: "settling",
  p: "settling",
  B: "succeeded",
  D: "succeeded",
  S: "failed",
  U: "failed",
};

/**
 * Nodes 0, 1, ... as letters: waiting, running, late, succeeded, failed, skipped; settling, and healthy for long enough; going back,
 * back, stuck on the way back, and failed with nobody knowing what it had.
 */
function parts(letters: string): Part[] {
  return Array.from(letters, (letter, place) => ({
    place,
    nodeId: String(place),
    state: states[letter] ?? assert.fail(letter),
    undo: "rlU".includes(letter) ? "unknown" : "sftpBDS".includes(letter) ? "before" : "nothing",
    ...("rlsftp".includes(letter) && { deadlineAt: letter === "l" ? 1000 : 1001 }),
    ...("tp".includes(letter) && { healthy: { since: letter === "p" ? 500 : 990, restarts: 0 } }),
    ...(letter === "B" && { back: { state: "running", deadlineAt: 1001 } }),
    ...(letter === "D" && { back: { state: "done" } }),
    ...(letter === "S" && { back: { state: "failed" } }),
  }));
}

/** What is done, as in `begin 0, failed 1: running`. */
function told(letters: string, given: Partial<Course> = {}, seen: Partial<Sight> = {}): string {
  const { steps, state } = plan({ ...course, ...given }, parts(letters), { ...sight, ...seen });
  const words = steps.map((step) => `${step.does === "end" ? step.state : step.does} ${step.part.nodeId}`);
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

  it("begins nobody while it is held, and goes on where it was", () => {
    const pausedBy = "operator/a";
    assert.equal(told("srwww", { pausedBy }), ": paused");
    assert.equal(told("sswww", { pausedBy }), ": paused");
    assert.equal(
      told("sslww", { pausedBy }),
      "failed 2, skipped 3, skipped 4: failed",
      "a failure ends it all the same",
    );
    assert.equal(told("sssrr", { pausedBy }), ": running", "nobody is left to be held");
    assert.equal(told("sswww"), "begin 2, begin 3: running");
  });

  it("counts a node when it has been healthy for long enough, and begins no other batch before", () => {
    const settleMs = 500;
    assert.equal(told("tpwww", { settleMs }), "settled 1: running");
    assert.equal(told("ppwww", { settleMs }), "settled 0, settled 1, begin 2, begin 3: running");
    const restarted = { wellbeing: () => ({ is: "well", restarts: 1 }) as const };
    assert.equal(told("pswww", { settleMs }, restarted), "note 0: running", "a restart begins the time anew");
    const coming = { wellbeing: () => ({ is: "coming", says: "press is unhealthy" }) as const };
    assert.equal(told("pswww", { settleMs }, coming), "note 0: running");
    assert.equal(
      told("pswww", { settleMs }, { ...coming, now: 1001 }),
      "failed 0, skipped 2, skipped 3, skipped 4: failed",
    );
    const broken = { wellbeing: () => ({ is: "broken", says: "press is in a crash loop" }) as const };
    assert.equal(told("pswww", { settleMs }, broken), "failed 0, skipped 2, skipped 3, skipped 4: failed");
    const away = { isConnected: () => false, ...broken };
    assert.equal(told("pswww", { settleMs }, away), ": running", "who is away shows nothing, good or bad");
    assert.equal(
      told("pswww", { settleMs }, { ...away, now: 1001 }),
      "failed 0, skipped 2, skipped 3, skipped 4: failed",
    );
    assert.equal(told("pswww", { settleMs }, { ...away, now: 1001, settled: false }), ": running");
  });

  it("undoes what was done when it fails, everywhere at once, and ends when all are back", () => {
    const rollBack = true;
    assert.equal(
      told("sfwww", { rollBack }),
      "skipped 2, skipped 3, skipped 4, goBack 0, goBack 1: rolling_back",
    );
    assert.equal(told("sfrtk", { rollBack, batch: 4 }), "settled 3, goBack 0, goBack 1: rolling_back");
    assert.equal(told("BfDkk", { rollBack, batch: 4 }), "goBack 1: rolling_back");
    assert.equal(told("DDkkk", { rollBack, maxFailures: -1 }), ": rolled_back");
    assert.equal(told("SDkkk", { rollBack }), ": failed");
    assert.equal(told("UDkkk", { rollBack }), "endBack 0: failed");
    assert.equal(
      told("fskkk", { rollBack }, { has: (id) => id !== "1" }),
      "goBack 0, endBack 1: rolling_back",
    );
    assert.equal(told("sswww", { rollBack }), "begin 2, begin 3: running", "only what failed is undone");
    assert.equal(told("BDkkk", { rollBack, maxFailures: -1 }, { now: 1001 }), "endBack 0: failed");
  });

  it("undoes it when somebody says so, also when all went well", () => {
    const backBy = "operator/a";
    assert.equal(told("ssrww", { backBy }), "skipped 3, skipped 4, goBack 0, goBack 1: rolling_back");
    assert.equal(told("DDDDD", { backBy }), ": rolled_back");
    assert.equal(
      told("lDkkk", { backBy }),
      "failed 0: rolling_back",
      "what it does is seen with the next look",
    );
    assert.equal(told("UDkkk", { backBy }), "endBack 0: failed");
  });
});

describe("the ids of a rollout's commands", () => {
  it("tell which rollout and which node they are of, on the way there and back", () => {
    for (const id of [
      commandIdOf("press-4-1", 6),
      backIdOf("press-4-1", 6, 1),
      backIdOf("press-4-1", 6, 24),
    ]) {
      assert.deepEqual(partOf(id), { rolloutId: "press-4-1", place: 6 }, id);
    }
    assert.deepEqual([backIdOf("r", 0, 0), backIdOf("r", 0, 1)], ["r-1b", "r-1c"]);
    assert.equal(backIdOf("x".repeat(56), 9999, 24).length <= 64, true);
  });
});

describe("how many nodes may fail", () => {
  it("is the larger of a number and a part rounded down", () => {
    const of = (maxFailures: number, maxFailuresPercent: number) =>
      courseOf(create(StartRolloutRequestSchema, { maxFailures, maxFailuresPercent }), 25).maxFailures;
    assert.deepEqual([of(0, 0), of(1, 0), of(1, 10), of(3, 10), of(0, 100)], [0, 1, 2, 3, 25]);
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
