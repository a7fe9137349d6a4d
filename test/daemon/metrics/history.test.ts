import assert from "node:assert/strict";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Sql } from "../../../src/base/sql.ts";
import { History, type HistoryLimits } from "../../../src/daemon/metrics/history.ts";
import { schema } from "../../../src/daemon/metrics/index.ts";
import type { Measured } from "../../../src/daemon/metrics/slots.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";

const intervalMs = 5_000;
const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 24 * 3_600_000];
const begin = Date.UTC(2026, 10, 20);

function measured(at: number, value = 1): Measured {
  const averaged = { cpu: value, memory: value * 1e9, disk: 5, received: value, sent: 2, load: 3 };
  const newest = { memoryTotal: 8e9, diskTotal: 9, uptime: (at - begin) / 1000 };
  const ofRuntime = { blockRead: 7, blockWritten: 8, pids: 9, restarts: 2, oomKills: 1 };
  return { at, ...averaged, ...newest, ...ofRuntime };
}

/** A history on a real file, with a clock that is moved by hand: `ranMs` always goes on, the wall clock where it is set. */
function historyOn(folder: string, limits?: HistoryLimits) {
  const path = join(folder, "db");
  const sql = Sql.open(path, [schema], () => begin);
  const history = new History(sql, intervalMs, limits);
  let ranMs = 0;
  return {
    ...{ sql, history, path },
    /** A sample every five seconds, a commit every few hours: what is kept does not depend on when it is written. */
    measure(series: string, from: number, lastMs: number, value: (at: number) => number = () => 1) {
      for (let passed = 0; passed < lastMs; passed += intervalMs) {
        ranMs += intervalMs;
        history.add(series, measured(from + passed, value(from + passed)), ranMs);
        if (passed % (6 * hourMs) === 0) history.commit();
      }
      history.commit();
    },
    count: (table: string) => Number(sql.get(`SELECT COUNT(*) AS n FROM ${table}`)?.n),
    [Symbol.dispose]: () => sql[Symbol.dispose](),
  };
}

test("a month of samples: all of them for 48 hours, averages of five minutes for 30 days, and nothing older", () => {
  using folder = tempFolder();
  using on = historyOn(folder.path);
  const end = begin + 31 * dayMs;
  // Busy for the first of every two minutes, so that every average of five minutes differs from its neighbour's.
  on.measure("", begin, 31 * dayMs, (at) => (((at - begin) / minuteMs) % 2 < 1 ? 100 : 0));
  assert.equal(on.count("metrics_fine"), (48 * hourMs) / intervalMs);
  assert.equal(on.count("metrics_coarse"), 30 * 24 * 12);

  const ask = (since: number, until: number, maxPoints: number) => {
    const { points, resolutionMs } = on.history.query({ series: "", since, until, maxPoints });
    return { points, resolutionMs, cpu: points.map(({ sample }) => sample.cpuPercent) };
  };
  const lastHour = ask(end - hourMs, end, 720);
  assert.deepEqual([lastHour.points.length, lastHour.resolutionMs], [720, 5_000]);
  assert.equal(lastHour.points[0]?.at, end - hourMs);
  assert.deepEqual(new Set(lastHour.cpu), new Set([0, 100]), "samples as they were measured");

  const lastTwoDays = ask(end - 2 * dayMs, end, 300);
  assert.deepEqual([lastTwoDays.points.length, lastTwoDays.resolutionMs], [288, 10 * minuteMs]);

  const longAgo = ask(end - 20 * dayMs, end - 20 * dayMs + hourMs, 720);
  assert.deepEqual([longAgo.points.length, longAgo.resolutionMs], [12, 5 * minuteMs]);
  assert.deepEqual(new Set(longAgo.cpu), new Set([40, 60]), "averages of five minutes");

  const month = ask(end - 30 * dayMs, end, 300);
  assert.deepEqual([month.points.length, month.resolutionMs], [240, 3 * hourMs]);
  assert.deepEqual(new Set(month.cpu), new Set([50]), "the average of averages is the average of all");
  assert.equal(Number(month.points.at(-1)?.sample?.uptimeSeconds), (31 * dayMs - intervalMs) / 1000);
  assert.deepEqual(ask(begin, begin + hourMs, 300).points, [], "what is too old is gone");
  assert.ok(statSync(on.path).size < 8e6, `${statSync(on.path).size} bytes are too many for one series`);
});

test("any range has at most as many points as were asked for, in order, and loses nothing of it", () => {
  using folder = tempFolder();
  using on = historyOn(folder.path);
  on.measure("", begin, 3 * dayMs, (at) => (at - begin) / dayMs);
  for (let passed = 0; passed < 30_000; passed += intervalMs) {
    on.history.add("", measured(begin + 3 * dayMs + passed, 3), 3 * dayMs + passed); // Not committed.
  }
  const end = begin + 3 * dayMs + 30_000;
  for (const rangeMs of [
    1,
    4_999,
    5_000,
    59_000,
    7 * minuteMs,
    hourMs,
    47 * hourMs,
    50 * hourMs,
    3 * dayMs,
    400 * dayMs,
  ]) {
    for (const maxPoints of [1, 2, 7, 300, 10_000]) {
      const what = `${rangeMs} ms in ${maxPoints}`;
      const { points, resolutionMs } = on.history.query({
        series: "",
        since: end - rangeMs,
        until: end,
        maxPoints,
      });
      assert.ok(points.length <= maxPoints, what);
      assert.equal(points.length > 0, rangeMs >= 5_000, what);
      const ats = points.map(({ at }) => at);
      assert.ok(
        ats.every(
          (at, index) => (at >= end - rangeMs && at >= (ats[index - 1] ?? 0) + resolutionMs) || index === 0,
        ),
        what,
      );
      const newest = points.at(-1);
      if (newest) assert.ok(newest.at + resolutionMs >= end - intervalMs, `${what}: the newest is in it`);
    }
  }
});

test("a clock that was set to 1970, to 2100 and right again harms no sample of the right time", () => {
  using folder = tempFolder();
  using on = historyOn(folder.path);
  on.measure("", begin, hourMs, () => 10);
  on.measure("", 0, hourMs, () => 20);
  on.measure("", Date.UTC(2100, 0, 1), hourMs, () => 30);
  on.measure("", begin + 4 * hourMs, hourMs, () => 40);

  const ask = (since: number, until: number, maxPoints = 300) =>
    on.history.query({ series: "", since, until, maxPoints });
  const cpu = ask(begin, begin + 5 * hourMs, 10_000).points.map(({ sample }) => sample.cpuPercent);
  assert.deepEqual([cpu.length, new Set(cpu)], [1440, new Set([10, 40])]);
  assert.equal(ask(0, hourMs).points[0]?.sample.cpuPercent, 20);
  assert.equal(ask(Date.UTC(2100, 0, 1), Date.UTC(2101, 0, 1)).points[0]?.sample.cpuPercent, 30);
  const all = ask(0, Date.UTC(2101, 0, 1));
  assert.ok(all.points.length <= 300 && all.resolutionMs < 2 ** 32);

  // What was measured in 2100 is old by the time that passed, and does not stay for 74 years.
  on.measure("", begin + 5 * hourMs, 48 * hourMs, () => 50);
  assert.equal(
    on.sql.get("SELECT MAX(at_ms) AS last FROM metrics_fine")?.last,
    begin + 53 * hourMs - intervalMs,
  );
});

test("what was committed is there after a restart, and grows old over restarts", () => {
  using folder = tempFolder();
  for (const day of [0, 1, 2, 3]) {
    using on = historyOn(folder.path);
    on.measure("plc1", begin + day * dayMs, dayMs);
  }
  using on = historyOn(folder.path);
  assert.equal(on.count("metrics_fine"), (48 * hourMs) / intervalMs);
  assert.equal(on.history.has("plc1"), true);
  assert.equal(on.history.has("plc2"), false);
});

test("what a full disk does not take waits in memory, bounded, is answered nevertheless, and is written later", () => {
  using disk = smallDisk(1 << 20);
  using on = historyOn(disk.path, { series: 8, waiting: 100 });
  on.measure("", begin, minuteMs);
  const filler = join(disk.path, "filler");
  assert.throws(() => writeFileSync(filler, Buffer.alloc(2 << 20)), { code: "ENOSPC" });
  for (let at = begin + minuteMs; at < begin + 20 * minuteMs; at += intervalMs)
    on.history.add("", measured(at), at - begin);
  assert.throws(() => on.history.commit(), { kind: "exhausted" });
  const ask = () =>
    on.history.query({ series: "", since: begin, until: begin + hourMs, maxPoints: 1000 }).points;
  assert.equal(ask().length, 12 + 100);
  rmSync(filler);
  on.history.commit();
  assert.equal(ask().length, 12 + 100);
  assert.equal(on.count("metrics_fine"), 12 + 100);
});

test("a series more than there may be takes the place of the one that was silent longest", () => {
  using folder = tempFolder();
  using on = historyOn(folder.path, { series: 3, waiting: 100 });
  for (const name of ["a", "b", "c"]) on.measure(name, begin, intervalMs);
  on.measure("a", begin, intervalMs);
  on.measure("d", begin, intervalMs);
  assert.deepEqual(
    ["a", "b", "c", "d"].filter((name) => on.history.has(name)),
    ["a", "c", "d"],
  );
});
