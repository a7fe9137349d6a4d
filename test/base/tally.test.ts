import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../src/base/clock.ts";
import { Tally } from "../../src/base/tally.ts";

/** A clock on which everybody sleeps until it is told to go on. */
function handClock() {
  let wakes: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    elapsed: () => 0,
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        wakes.push(resolve);
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  const pass = async () => {
    const woken = wakes;
    wakes = [];
    for (const wake of woken) wake();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, pass };
}

test("the first is told at once, what follows once in a period, and what is left at the end", async () => {
  const { clock, pass } = handClock();
  const told: [string, number][] = [];
  const tally = new Tally<string>({ clock, periodMs: 1, tell: (what, count) => told.push([what, count]) });
  tally.note("a", "a");
  tally.note("a", "a", 2);
  tally.note("a", "a");
  tally.note("b", "b");
  assert.deepEqual(told.splice(0), [
    ["a", 1],
    ["b", 1],
  ]);
  await pass();
  assert.deepEqual(told.splice(0), [["a", 3]]);
  // b was quiet for a period, and is new again; a still is followed.
  tally.note("b", "b");
  tally.note("a", "a");
  assert.deepEqual(told.splice(0), [["b", 1]]);
  tally.note("b", "b");
  tally[Symbol.dispose]();
  assert.deepEqual(told.toSorted(), [
    ["a", 1],
    ["b", 1],
  ]);
});

test("what cannot be told is counted on, and told when it can be", async () => {
  const { clock, pass } = handClock();
  const told: number[] = [];
  let isFull = true;
  const tell = (_: string, count: number) => {
    if (isFull) throw new Error("the disk is full");
    told.push(count);
  };
  const tally = new Tally<string>({ clock, periodMs: 1, tell });
  tally.note("a", "a", 2);
  await pass();
  tally.note("a", "a");
  isFull = false;
  await pass();
  assert.deepEqual(told, [3]);
});
