import assert from "node:assert/strict";
import { test } from "node:test";
import { type Available, chooseResolution } from "../../../src/daemon/metrics/resolution.ts";

const minuteMs = 60_000;
const choose = (available: Partial<Available>) =>
  chooseResolution({ fine: undefined, coarse: undefined, intervalMs: 5_000, maxPoints: 300, ...available });

test("the finest round resolution at which all fits is chosen", () => {
  const cases: [lastSample: number, maxPoints: number, resolutionMs: number][] = [
    [0, 1, 5_000],
    [9 * 5_000, 10, 5_000],
    [10 * 5_000, 10, 10_000],
    [3_600_000 - 5_000, 720, 5_000],
    [3_600_000 - 5_000, 719, 10_000],
    [3_600_000 - 5_000, 300, 15_000],
  ];
  for (const [last, maxPoints, resolutionMs] of cases) {
    const fine = { first: 0, last };
    assert.deepEqual(
      choose({ fine, maxPoints }),
      { table: "fine", anchor: 0, resolutionMs },
      `${last} in ${maxPoints}`,
    );
  }
  assert.equal(choose({ fine: { first: 0, last: 1e6 }, intervalMs: 7_000 })?.resolutionMs, 7_000);
});

test("the averages answer where the samples do not reach back, or would be averaged as far anyway", () => {
  const hour = { first: 60 * minuteMs, last: 120 * minuteMs - 5_000 };
  const table = (available: Partial<Available>) => choose(available)?.table;
  assert.equal(table({ fine: hour, coarse: { first: 60 * minuteMs, last: 115 * minuteMs } }), "fine");
  assert.equal(
    table({ fine: hour, coarse: { first: 56 * minuteMs, last: 115 * minuteMs } }),
    "fine",
    "its first part is gone",
  );
  assert.equal(table({ fine: hour, coarse: { first: 55 * minuteMs, last: 115 * minuteMs } }), "coarse");
  assert.equal(
    table({ fine: hour, coarse: { first: 60 * minuteMs, last: 115 * minuteMs }, maxPoints: 3 }),
    "coarse",
  );
  assert.equal(table({ fine: hour, maxPoints: 3 }), "fine", "there are no averages yet");
  assert.deepEqual(choose({ coarse: { first: 0, last: 10 * minuteMs } }), {
    table: "coarse",
    anchor: 0,
    resolutionMs: 5 * minuteMs,
  });
  assert.equal(choose({}), undefined);
});

test("decades between samples, as a clock that was set makes them, give a resolution that the wire can say", () => {
  const span = { first: 0, last: Date.UTC(2100, 0, 1) };
  for (const maxPoints of [1, 300, 10_000]) {
    const { resolutionMs = 0 } = choose({ fine: span, coarse: span, maxPoints }) ?? {};
    assert.ok(resolutionMs >= 5 * minuteMs && resolutionMs < 2 ** 32, `${resolutionMs}`);
  }
});
