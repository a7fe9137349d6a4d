import assert from "node:assert/strict";
import { test } from "node:test";
import { isDue, nextDueMs, plan } from "../../../src/daemon/tasks/plan.ts";
import { priorities, type TaskRecord } from "../../../src/daemon/tasks/task.ts";
import { follows, isFinal, mayFollow, type State } from "../../../src/daemon/tasks/transitions.ts";
import fc from "../../fixtures/properties.ts";

function task(number: number, init: Partial<TaskRecord> = {}): TaskRecord {
  return {
    ...{
      number,
      id: `task-${number}`,
      agent: "a",
      version: 1,
      state: "queued",
      reason: "",
      priority: "normal",
    },
    ...{
      cause: "command",
      actor: "",
      labels: [],
      wallTimeMs: 1,
      inputBytes: 0,
      parentId: "",
      rootId: "",
      depth: 0,
    },
    ...{ spawnKey: "", after: [], waitsFor: [], queuedAt: 0, attempts: 0, outOfMemory: false, warm: false },
    ...{ cpuMs: 0, memoryPeakBytes: 0, runMs: 0, waitedMs: 0, outputBytes: 0, outputCut: false },
    ...{ cellId: "", containerId: "", given: false },
    ...init,
  };
}

const tasks = fc
  .array(
    fc.record({
      agent: fc.constantFrom("a", "b", "c"),
      priority: fc.constantFrom(...priorities),
      waitsFor: fc.constantFrom([], [], ["other"]),
      nextAttemptAt: fc.constantFrom(undefined, undefined, 500, 1_500),
    }),
    { maxLength: 30 },
  )
  .map((all) => all.map((init, at) => task(at + 1, { ...init, pauseMs: 1_000 })));
const busy = fc.record({ a: fc.nat(3), b: fc.nat(3), c: fc.nat(3) });
const limits = fc.record({
  a: fc.integer({ min: 0, max: 4 }),
  b: fc.integer({ min: 0, max: 4 }),
  c: fc.nat(4),
});

test("no plan starts what may not, more than there is room for, or leaves room that somebody could use", () => {
  fc.assert(
    fc.property(
      tasks,
      busy,
      limits,
      fc.integer({ min: -2, max: 8 }),
      (queued, busyOf, concurrencyOf, free) => {
        const of = (counts: Record<string, number>) => (agent: string) => counts[agent] ?? 0;
        const starts = plan({
          ...{ queued, free, turns: new Map(), now: 1_000 },
          ...{ busyOf: of(busyOf), concurrencyOf: of(concurrencyOf) },
        });
        assert.equal(new Set(starts).size, starts.length);
        assert.ok(starts.length <= Math.max(0, free));
        for (const one of starts) assert.ok(one.waitsFor.length === 0 && one.nextAttemptAt !== 1_500);
        const ready = queued.filter(
          ({ waitsFor, nextAttemptAt }) => waitsFor.length === 0 && nextAttemptAt !== 1_500,
        );
        for (const agent of ["a", "b", "c"]) {
          const began = starts.filter((one) => one.agent === agent);
          const room = Math.max(0, of(concurrencyOf)(agent) - of(busyOf)(agent));
          assert.ok(began.length <= room);
          const left = ready.filter((one) => one.agent === agent && !starts.includes(one));
          // Within an agent nobody is overtaken by one that is not more urgent.
          const urgency = ({ priority }: TaskRecord) => priorities.indexOf(priority);
          for (const one of left)
            for (const other of began) {
              assert.ok(
                urgency(other) > urgency(one) ||
                  (urgency(other) === urgency(one) && other.number < one.number),
              );
            }
          if (left.length > 0) assert.ok(began.length === room || starts.length === Math.max(0, free));
        }
      },
    ),
  );
});

test("agents take turns, however many tasks one of them has", () => {
  const queued = [
    ...Array.from({ length: 10 }, (_, at) => task(at + 1)),
    task(11, { agent: "b" }),
    task(12, { agent: "b" }),
  ];
  const starts = plan({
    ...{ queued, free: 4, turns: new Map([["a", 7]]), now: 0 },
    ...{ busyOf: () => 0, concurrencyOf: () => 100 },
  });
  assert.deepEqual(
    starts.map(({ agent }) => agent),
    ["b", "a", "b", "a"],
  );
});

test("a pause ends in time, also when the clock was set back meanwhile", () => {
  const pausing = task(1, { nextAttemptAt: 10_000, pauseMs: 2_000 });
  assert.equal(isDue(pausing, 9_000), false);
  assert.equal(isDue(pausing, 10_000), true);
  assert.equal(isDue(pausing, 1_000), true, "nobody meant it to wait for 9 s");
  assert.equal(nextDueMs([pausing, task(2)], 9_500), 500);
  assert.equal(nextDueMs([task(2)], 9_500), undefined);
});

test("no walk through the states leaves a final one, and every state leads to one", () => {
  const states = Object.keys(follows) as State[];
  for (const from of states)
    for (const to of states) if (isFinal(from)) assert.equal(mayFollow(from, to), false);
  const leadsToEnd = (state: State, seen: readonly State[] = []): boolean =>
    isFinal(state) ||
    follows[state].some((next) => !seen.includes(next) && leadsToEnd(next, [...seen, state]));
  for (const state of states) assert.ok(leadsToEnd(state), state);
  // A program that has its input is never given it again but after its attempt was concluded.
  assert.equal(mayFollow("running", "starting"), false);
  assert.equal(mayFollow("stopping", "running"), false);
});
