import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { notePause } from "../../../src/daemon/runtimes/ends.ts";
import { type Causes, news } from "../../../src/daemon/runtimes/news.ts";
import { pauseMs, staysEnded, usualPace } from "../../../src/daemon/runtimes/pace.ts";
import { type Known, phaseOf } from "../../../src/daemon/runtimes/phase.ts";
import { plan } from "../../../src/daemon/runtimes/plan.ts";
import { newTended } from "../../../src/daemon/runtimes/tended.ts";
import type { Wish } from "../../../src/daemon/wishes/wish.ts";
import { all, container, ground, plc, steps, wish } from "./planned.ts";

const start = "2026-11-21T10:00:00.000Z";
const after = (seconds: number) => new Date(Date.parse(start) + seconds * 1000).toISOString();
const ends = (seconds: number, exitCode = 7) =>
  container({ state: "exited", startedAt: start, finishedAt: after(seconds), exitCode });
const running = (init: Partial<Wish> = {}) => wish({ started: start, ...init });
const withMode = (restart: RestartMode, init: Partial<Wish> = {}) =>
  wish({ spec: { ...plc, restart }, ended: after(1), started: start, endedByItself: true, ...init });

test("pauses double from 1 s to 5 minutes", () => {
  const pauses = [1, 2, 3, 4, 8, 9, 10, 5000].map((count) => pauseMs(count, usualPace) / 1000);
  assert.deepEqual(pauses, [1, 2, 4, 8, 128, 256, 300, 300]);
});

test("ends in a row are counted, from the beginning after a good run, and not where nobody saw the end", () => {
  const counted = (seconds: number, init: Partial<Wish> = {}, causes: Causes = {}) =>
    news(running({ endsInARow: 4, ...init }), ends(seconds), causes).update.endsInARow;
  assert.equal(counted(1), 5);
  assert.equal(counted(599), 5);
  assert.equal(counted(600), 1, "ten minutes are a good run");
  assert.equal(counted(600, {}, { wellMs: Infinity }), 5, "but not when it was unhealthy");
  const powerCut = container({ startedAt: after(60), finishedAt: after(50), exitCode: undefined });
  assert.equal(news(running({ endsInARow: 0 }), powerCut).update.endsInARow, 0);
});

test("what an end means depends on the mode: never stays ended, on-failure after a clean end, always never", () => {
  const stays = (restart: RestartMode, exitCode: number, init: Partial<Wish> = {}) =>
    staysEnded(withMode(restart, { exitCode, ...init }));
  const codes = [0, 7, 255];
  assert.deepEqual(
    codes.map((code) => stays(RestartMode.ALWAYS, code)),
    [false, false, false],
  );
  assert.deepEqual(
    codes.map((code) => stays(RestartMode.UNSPECIFIED, code)),
    [false, false, false],
  );
  assert.deepEqual(
    codes.map((code) => stays(RestartMode.ON_FAILURE, code)),
    [true, false, false],
  );
  assert.deepEqual(
    codes.map((code) => stays(RestartMode.NEVER, code)),
    [true, true, true],
  );
  assert.equal(stays(RestartMode.NEVER, 0, { endedByItself: false }), false, "a command started it");
  assert.equal(stays(RestartMode.NEVER, 137, { unhealthyStart: start }), false, "we ended it ourselves");
  const ended = withMode(RestartMode.NEVER, { exitCode: 3 });
  assert.deepEqual(steps(ended, all(container({ state: "exited" }))), []);
  assert.deepEqual(steps(ended, { containers: [], networks: [], volumes: [] }), []);
});

test("the engine brings back what should run, and nothing else", () => {
  const policies = [RestartMode.ALWAYS, RestartMode.ON_FAILURE, RestartMode.NEVER].map((restart) => {
    const [step] = plan(wish({ spec: { ...plc, restart } }), all(container()), {
      ...ground,
      trust: "earned",
    });
    return step?.do === "setRestarts" ? step.policy : undefined;
  });
  assert.deepEqual(policies, ["unless-stopped", "on-failure", undefined]);
});

test("a pause ends when it was to end, whichever life of the daemon waits, and a clock that was set makes none longer", () => {
  const loop = running({ ended: after(5), endedByItself: true, endsInARow: 3 });
  const left = (now: number) => {
    const clock = { ...systemClock, now: () => Date.parse(after(now)), elapsed: () => 1_000_000 };
    const tended = newTended("plc1", { isTouched: true });
    const pause = notePause(tended, loop, ends(5), { clock, pace: usualPace });
    assert.equal(notePause(tended, loop, ends(5), { clock, pace: usualPace }), undefined, "told once");
    return pause && pause.until - 1_000_000;
  };
  assert.deepEqual([5, 7, 60, -3600].map(left), [4000, 2000, 0, 4000]);
  const held = { ...ground, isHeld: true };
  assert.deepEqual(steps(loop, all(ends(5)), held), []);
  assert.deepEqual(steps(loop, all(ends(5))), ["startContainer one"]);
});

const phases = Object.fromEntries(Object.entries(RuntimePhase).map(([name, phase]) => [phase, name]));

test("every program that does not run says why, and what happens next", () => {
  const at = Date.parse(after(9));
  const told = (one: Wish, known: Partial<Known> = {}) => {
    const lan = { netmon: { at: "unknown" as const }, unplugged: undefined, macOf: () => "" };
    const nothing = { away: undefined, doing: "", far: "", problem: undefined, judged: undefined };
    const { phase, reason } = phaseOf(one, ends(5), {
      ...{ ...nothing, lan, pause: undefined, waitsFor: undefined, locks: [] },
      ...known,
    });
    return `${phases[phase]}: ${reason}`;
  };
  const paused = { pause: { ended: after(5), at } };
  assert.deepEqual(
    [
      told(running({ endsInARow: 1 }), paused),
      told(running({ endsInARow: 6 }), paused),
      told(running({ endsInARow: 2, unhealthyStart: start }), paused),
      told(withMode(RestartMode.ON_FAILURE, { exitCode: 0 })),
      told(running(), { waitsFor: "it waits for runtime db, which is stopped" }),
    ],
    [
      "STARTING: its program ended on its own with exit code 7; it is started again at 2026-11-21T10:00:09Z",
      "CRASH_LOOP: its program ended on its own 6 times in a row, the last time with exit code 7; it is started again at 2026-11-21T10:00:09Z",
      "CRASH_LOOP: its program ended or was stopped for its health 2 times in a row, the last time because it was unhealthy; it is started again at 2026-11-21T10:00:09Z",
      "ENDED: its program ended with exit code 0, and its wish says that it stays so (restart on-failure); to start it: orchestrator runtime start plc1",
      "WAITING: it waits for runtime db, which is stopped",
    ],
  );
});

test("one that is unhealthy is stopped once, and told so; it is started again after the same pause", () => {
  const unhealthy = running({ unhealthyStart: start });
  const up = container({ startedAt: start });
  assert.deepEqual(steps(unhealthy, all(up)), ["stopContainer one"]);
  assert.deepEqual(
    steps(unhealthy, all(up), { ...ground, isLocked: () => true }),
    [],
    "but not a locked one",
  );
  assert.deepEqual(steps({ ...unhealthy, unhealthyStart: after(-60) }, all(up)), [], "of an earlier run");
  const { changes, update } = news(unhealthy, ends(5, 137), {
    unhealthy: { reason: "it hung", commandId: "" },
  });
  assert.deepEqual(
    changes.map(({ reason }) => reason),
    ["it hung"],
  );
  assert.deepEqual([update.endedByItself, update.endsInARow], [true, 1]);
  assert.deepEqual(steps({ ...unhealthy, ...update }, all(ends(5, 137))), ["startContainer one"]);
});
