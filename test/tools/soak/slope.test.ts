import assert from "node:assert/strict";
import { test } from "node:test";
import { type Point, slopeOf } from "../../../tools/soak/slope.ts";
import { chanceOf } from "../../fixtures/chance.ts";

const hourly = (count: number, value: (at: number) => number): Point[] =>
  Array.from({ length: count }, (_, index) => ({ at: index / count, value: value(index / count) }));

test("a straight line is found, and sure", () => {
  const { perHour, error } = slopeOf(hourly(120, (at) => 100 + 3 * at));
  assert.ok(Math.abs(perHour - 3) < 1e-9 && error < 1e-6, `${perHour} ± ${error}`);
});

test("of noise that has no slope, the interval holds zero about 19 times in 20", () => {
  const chance = chanceOf(5);
  const runs = Array.from({ length: 200 }, () => slopeOf(hourly(120, () => chance.next())));
  const held = runs.filter(({ perHour, error }) => Math.abs(perHour) <= error).length;
  assert.ok(held >= 180, `${held} of 200`);
});

test("of a value that wanders, the interval is wider than that of noise as large", () => {
  const chance = chanceOf(6);
  let wandering = 0;
  const wander = slopeOf(hourly(120, () => (wandering = 0.9 * wandering + chance.next() - 0.5)));
  const noise = slopeOf(hourly(120, () => chance.next() - 0.5));
  assert.ok(wander.error > 3 * noise.error, `${wander.error}, ${noise.error}`);
});

test("two samples say nothing", () => {
  assert.equal(slopeOf(hourly(2, () => 1)).error, Number.POSITIVE_INFINITY);
});
