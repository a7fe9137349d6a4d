import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentScheduleSchema, MissedRuns } from "../../../gen/edge/v1/agents_pb.ts";
import { dueRuns, nextRun, scheduleViolations } from "../../../src/daemon/agents/schedule.ts";

const hourly = (missed: MissedRuns = MissedRuns.SKIP) =>
  create(AgentScheduleSchema, { cron: "0 * * * *", missed });
const at = (text: string) => Date.parse(`2026-11-21T${text}Z`);
const texts = (times: readonly number[]) => times.map((time) => new Date(time).toISOString().slice(11, 19));

test("a time that has just come is due, once", () => {
  const due = dueRuns(hourly(), at("09:30:00"), at("10:00:00.003"));
  assert.deepEqual([texts(due.runs), due.missed], [["10:00:00"], 0]);
  assert.deepEqual(dueRuns(hourly(), due.until, at("10:00:01")).runs, []);
  assert.deepEqual(
    dueRuns(hourly(), due.until, at("09:59:59")).runs,
    [],
    "a clock that was set back runs nothing twice",
  );
});

test("times that passed while nobody looked are left out, made up for once, or all made up for", () => {
  const off = (missed: MissedRuns) => dueRuns(hourly(missed), at("05:30:00"), at("09:30:00"));
  assert.deepEqual([off(MissedRuns.SKIP).runs, off(MissedRuns.SKIP).missed], [[], 4]);
  assert.deepEqual(texts(off(MissedRuns.ONCE).runs), ["09:00:00"]);
  assert.deepEqual(texts(off(MissedRuns.ALL).runs), ["06:00:00", "07:00:00", "08:00:00", "09:00:00"]);
  const back = dueRuns(hourly(MissedRuns.ONCE), at("05:30:00"), at("09:00:02"));
  assert.deepEqual(texts(back.runs), ["09:00:00"], "what is on time stands for those before it, too");
});

test("of a year of missed times the last hundred are made up for", () => {
  const since = Date.parse("2025-11-21T00:00:00Z");
  const due = dueRuns(hourly(MissedRuns.ALL), since, at("09:30:00"));
  assert.equal(due.runs.length, 100);
  assert.deepEqual(texts(due.runs.slice(-1)), ["09:00:00"]);
});

test("a clock that was far ahead holds up a schedule no longer than until it is set", () => {
  const due = dueRuns(hourly(), Date.parse("2099-01-01T00:00:00Z"), at("09:30:00"));
  assert.deepEqual([due.runs, due.until], [[], at("09:30:00")]);
});

test("fields are those of a time zone, also when its clocks change", () => {
  const daily = create(AgentScheduleSchema, { cron: "30 2 * * *", timeZone: "Europe/Vienna" });
  assert.equal(new Date(nextRun(daily, at("09:00:00")) ?? 0).toISOString(), "2026-11-22T01:30:00.000Z");
  const inSummer = nextRun(daily, Date.parse("2026-07-01T09:00:00Z")) ?? 0;
  assert.equal(new Date(inSummer).toISOString(), "2026-07-02T00:30:00.000Z");
  assert.equal(nextRun(create(AgentScheduleSchema, { cron: "* * * * *", paused: true }), 0), undefined);
});

test("what is no schedule is said by its field", () => {
  const wrong = (cron: string, timeZone = "") =>
    scheduleViolations(create(AgentScheduleSchema, { cron, timeZone }));
  assert.deepEqual(wrong("*/5 * * * *"), []);
  assert.deepEqual(wrong("0 */5 * * * *", "Europe/Vienna"), []);
  for (const cron of ["@daily", "* * * *", "2030-01-01T00:00:00", "61 * * * *"]) {
    assert.match(wrong(cron)[0]?.message ?? "", /five or six fields/, cron);
  }
  assert.match(wrong("0 0 30 2 *")[0]?.message ?? "", /no time that ever comes/);
  assert.equal(wrong("* * * * *", "Europe/Wien")[0]?.field, "time_zone");
});
