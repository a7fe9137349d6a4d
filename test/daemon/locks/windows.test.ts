import assert from "node:assert/strict";
import { test } from "node:test";
import { type Window, windowsAt, wrongMaintenance } from "../../../src/daemon/locks/windows.ts";

const hourMs = 3_600_000;
const window = (cron: string, hours: number, timeZone = ""): Window => ({
  ...{ cron, timeZone },
  durationMs: BigInt(hours * hourMs),
});
const moment = (ms: number | undefined) => (ms === undefined ? "?" : new Date(ms).toISOString().slice(0, 16));

/** What is so at a moment: `open until ...`, or `closed since ... until ...`. */
function at(now: string, ...windows: Window[]): string {
  const { isOpen, since, until } = windowsAt(windows, Date.parse(now));
  return isOpen ? `open until ${moment(until)}` : `closed since ${moment(since)} until ${moment(until)}`;
}

test("a runtime may be touched within its windows, and always when it has none", () => {
  const saturdays = window("0 2 * * 6", 2);
  assert.equal(at("2026-11-21T12:00Z"), "open until ?");
  assert.equal(
    at("2026-11-21T01:59:59.999Z", saturdays),
    "closed since 2026-11-14T04:00 until 2026-11-21T02:00",
  );
  assert.equal(at("2026-11-21T02:00:00.000Z", saturdays), "open until 2026-11-21T04:00");
  assert.equal(at("2026-11-21T03:59:59.999Z", saturdays), "open until 2026-11-21T04:00");
  assert.equal(
    at("2026-11-21T04:00:00.000Z", saturdays),
    "closed since 2026-11-21T04:00 until 2026-11-28T02:00",
  );
});

test("windows go over midnight, lie over one another, and may last longer than until they come again", () => {
  const night = window("30 23 * * *", 2, "Asia/Kolkata");
  assert.equal(at("2026-11-21T19:00Z", night), "open until 2026-11-21T20:00");
  const [early, late] = [window("0 2 * * *", 2), window("0 3 * * *", 3)];
  assert.equal(at("2026-11-21T02:30Z", early, late), "open until 2026-11-21T04:00");
  assert.equal(at("2026-11-21T03:30Z", early, late), "open until 2026-11-21T06:00", "the later one of both");
  assert.equal(at("2026-11-21T06:00Z", early, late), "closed since 2026-11-21T06:00 until 2026-11-22T02:00");
  assert.match(at("2026-11-21T12:34Z", window("0 0 * * *", 72)), /^open until 2026-11-24T00:00/);
  const leap = window("0 0 29 2 *", 1);
  assert.equal(at("2026-11-21T12:00Z", leap), "closed since 2024-02-29T01:00 until 2028-02-29T00:00");
  assert.equal(
    at("2026-11-18T12:00Z", window("0 2 13 * 5", 1)),
    "closed since 2026-11-13T03:00 until 2026-11-20T02:00",
    "a day of the month or one of the week, as crontab(5) has it",
  );
});

test("summer time neither hides a window nor opens it twice", () => {
  const berlin = (cron: string, hours: number) => window(cron, hours, "Europe/Berlin");
  // In the night to 29 March 2026, 02:00 to 03:00 is left out; in that to 25 October it comes twice.
  const spring: [string, string, string][] = [
    ["0 2 * * *", "2026-03-29T00:59Z", "closed since 2026-03-28T03:00 until 2026-03-29T01:00"],
    ["0 2 * * *", "2026-03-29T01:00Z", "open until 2026-03-29T03:00"],
    ["30 2 * * *", "2026-03-29T00:30Z", "closed since 2026-03-28T03:30 until 2026-03-29T01:00"],
    ["30 2,14 * * *", "2026-03-29T01:30Z", "open until 2026-03-29T03:00"],
    ["0 2 * * *", "2026-03-30T00:00Z", "open until 2026-03-30T02:00"],
  ];
  const autumn: [string, string, string][] = [
    ["0 2 * * *", "2026-10-25T00:00Z", "open until 2026-10-25T02:00"],
    ["0 2 * * *", "2026-10-25T02:00Z", "closed since 2026-10-25T02:00 until 2026-10-26T01:00"],
    ["30 1 * * *", "2026-10-25T01:00Z", "open until 2026-10-25T01:30"],
  ];
  for (const [cron, now, told] of [...spring, ...autumn]) assert.equal(at(now, berlin(cron, 2)), told, now);
});

test("a clock that cannot be right opens no window", () => {
  const always = window("* * * * *", 24);
  const { isOpen, isClockWrong } = windowsAt([always], Date.UTC(1970, 0, 2));
  assert.deepEqual([isOpen, isClockWrong], [false, true]);
  assert.equal(windowsAt([], 0).isOpen, true, "who asks for none does not care what time it is");
  assert.equal(windowsAt([always], Date.UTC(2020)).isOpen, true);
});

test("what is no window is refused by its place, with the reason", () => {
  const wrong = (cron: string, timeZone = "") =>
    wrongMaintenance([window("0 2 * * 6", 2), window(cron, 1, timeZone)], "spec.maintenance").map(
      ({ field, message }) => `${field}: ${message}`,
    );
  const cron = "spec.maintenance[1].cron:";
  assert.deepEqual(
    [
      ...wrong("0 0 31 2 *"),
      ...wrong("0 0 31 4,6,9,11 *"),
      ...wrong("61 2 * * 6"),
      ...wrong("5/10 2 * * 6"),
      ...wrong("0 2 * * 6 2027"),
      ...wrong("0 2 * FOO 6"),
      ...wrong("0 2 * * 6", "Mars/Olympus"),
      ...wrong("0 2 * * 6", "+02"),
      ...wrong("0 2 * * 6", "../../etc/passwd"),
    ],
    [
      `${cron} "0 0 31 2 *" never comes: no year has such a day`,
      `${cron} "0 0 31 4,6,9,11 *" never comes: no year has such a day`,
      `${cron} "61 2 * * 6" is not an expression of crontab(5): Invalid value for minute: 61`,
      `${cron} "5/10 2 * * 6" is not an expression of crontab(5): Syntax error, stepping with numeric prefix ('5/10') is not allowed. Use wildcard (*/step) or range (min-max/step) instead.`,
      `${cron} "0 2 * * 6 2027" is not an expression of crontab(5): mode '5-part' requires exactly 5 parts, but pattern '0 2 * * 6 2027' has 6 parts.`,
      `${cron} "0 2 * FOO 6" is not an expression of crontab(5): configuration entry 4 (FOO) contains illegal characters.`,
      ...['"Mars/Olympus"', '"+02"', '"../../etc/passwd"'].map(
        (zone) =>
          `spec.maintenance[1].time_zone: ${zone} is not in this node's time zone database; Europe/Berlin is`,
      ),
    ],
  );
  assert.deepEqual([...wrong("0 2 1-7 JAN-MAR,dec sat"), ...wrong("0 2 L * SUN#1", "America/St_Johns")], []);
});
