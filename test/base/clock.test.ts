import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";

test("nobody wakes up before it is time, on a busy machine either", async () => {
  let sleeping = 40;
  const early: number[] = [];
  const sleeper = async (index: number) => {
    for (let time = 0; time < 20; time++) {
      const ms = 5 + ((index + time) % 20);
      const end = systemClock.elapsed() + ms;
      await systemClock.sleep(ms);
      if (systemClock.elapsed() < end) early.push(end - systemClock.elapsed());
    }
    sleeping--;
  };
  // A turn that takes a part of a millisecond: timers are looked at at any time.
  const isBusy = async () => {
    while (sleeping > 0) {
      const end = performance.now() + 0.4;
      while (performance.now() < end);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([isBusy(), ...Array.from({ length: 40 }, (_, index) => sleeper(index))]);
  assert.deepEqual(early, []);
});

test("a sleep that is called off ends with the reason", async () => {
  const stop = new AbortController();
  const asleep = systemClock.sleep(Number.POSITIVE_INFINITY, stop.signal);
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(asleep, reason);
});
