import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "../../src/base/backoff.ts";
import { Changes } from "../../src/base/changes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { Failure } from "../../src/base/failure.ts";
import { Lanes } from "../../src/base/lanes.ts";
import { aborted, runTasks } from "../../src/base/tasks.ts";

test("a sleep of months does not end at once, as a timer of Node would", async () => {
  const stop = new AbortController();
  const slept = systemClock.sleep(100 * 24 * 3_600_000, stop.signal).then(() => "slept");
  assert.equal(await Promise.race([slept, systemClock.sleep(20).then(() => "still asleep")]), "still asleep");
  stop.abort(new Error("enough"));
  await assert.rejects(slept, /enough/);
});

test("work of one key runs in order, of two keys side by side", async () => {
  const lanes = new Lanes(10);
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lanes.run("a", async () => {
    await gate.promise;
    log.push("a1");
  });
  const second = lanes.run("a", async () => void log.push("a2"));
  await lanes.run("b", async () => void log.push("b1"));
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(log, ["b1", "a1", "a2"]);
});

test("work that leaves its lane lets the next one begin, once, and still has its own outcome", async () => {
  const lanes = new Lanes(10);
  const gate = Promise.withResolvers<string>();
  const first = lanes.run("a", (leave) => {
    leave();
    leave();
    return gate.promise;
  });
  const log: string[] = [];
  await lanes.run("a", async () => void log.push("a2"));
  gate.resolve("a1");
  assert.deepEqual([await first, log], ["a1", ["a2"]]);
});

test("a failure in a lane is its caller's, and the lane goes on", async () => {
  const lanes = new Lanes(10);
  await assert.rejects(
    lanes.run("a", () => Promise.reject(new Error("mine"))),
    /mine/,
  );
  assert.equal(await lanes.run("a", async () => 7), 7);
});

test("a full lane refuses with exhausted, and takes work again when it has room", async () => {
  const lanes = new Lanes(1);
  const gate = Promise.withResolvers<void>();
  const first = lanes.run("a", () => gate.promise);
  await assert.rejects(
    lanes.run("a", async () => {}),
    (thrown) => thrown instanceof Failure && thrown.kind === "exhausted",
  );
  gate.resolve();
  await first;
  await lanes.idle();
  await lanes.run("a", async () => {});
});

test("the first task that fails stops its siblings, and nothing outlives the call", async () => {
  let ended = false;
  const failing = runTasks(
    new AbortController().signal,
    async (signal) => {
      await aborted(signal);
      ended = true;
    },
    async () => {
      throw new Error("first");
    },
  );
  await assert.rejects(failing, /first/);
  assert.ok(ended);
});

test("an abort from outside ends all tasks and is no failure", async () => {
  const stop = new AbortController();
  const running = runTasks(stop.signal, aborted, async (signal) => {
    await aborted(signal);
    signal.throwIfAborted();
  });
  stop.abort();
  await running;
});

test("changes wake a reader once for many notices, and end with the signal", async () => {
  const changes = new Changes();
  const stop = new AbortController();
  let wakes = 0;
  const looked = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const _ of changes.wakes(stop.signal)) {
      wakes++;
      if (wakes === 1) {
        changes.notify();
        changes.notify();
      }
      if (wakes === 2) looked.resolve();
    }
  })();
  await looked.promise;
  stop.abort();
  await reading;
  assert.equal(wakes, 2);
});

test("pauses double up to a cap, are jittered from zero, and stay finite after years of attempts", () => {
  const longest = (attempt: number) =>
    backoffMs(attempt, { firstMs: 500, lastMs: 60_000, random: () => 1 - Number.EPSILON });
  assert.deepEqual([1, 2, 3, 8, 1_000_000].map(longest), [499, 999, 1999, 59_999, 59_999]);
  assert.equal(backoffMs(5, { firstMs: 500, lastMs: 60_000, random: () => 0 }), 0);
});
