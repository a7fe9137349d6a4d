import { Cron } from "croner";
import type { MaintenanceWindow } from "../../../gen/edge/v1/locks_pb.ts";
import { evidence } from "../../base/evidence.ts";
import type { FieldViolation } from "../../base/failure.ts";

/** What decides when a window is open. */
export type Window = Pick<MaintenanceWindow, "cron" | "durationMs" | "timeZone">;

/** Whether a runtime may be touched, as far as its windows say. Moments are milliseconds since 1970. */
export interface Windows {
  isOpen: boolean;
  /** Since when it is closed, as far as that is known. */
  since: number | undefined;
  /** Until when this is so at least; undefined when no window opens any more. */
  until: number | undefined;
  /** Whether the clock cannot be believed. */
  isClockWrong: boolean;
}

/** No machine that this program runs on was set to a time before this one on purpose: 2020 began. */
const firstBelievableMs = Date.UTC(2020);

/**
 * Which windows are open at a moment. Each lasts as long as it says by the clock on the wall of somebody who does not change
 * that clock: on the night when summer time ends, a window of 2 hours from 02:00 is over at 03:00. What would open at a time
 * that the spring night leaves out opens right after it.
 */
export function windowsAt(windows: readonly Window[], nowMs: number): Windows {
  if (windows.length === 0) {
    return { isOpen: true, since: undefined, until: undefined, isClockWrong: false };
  }
  if (nowMs < firstBelievableMs) {
    return { isOpen: false, since: undefined, until: firstBelievableMs, isClockWrong: true };
  }
  const known = windows.map((window) => {
    const [cron, durationMs] = [cronOf(window), Number(window.durationMs)];
    // The newest opening, now included.
    const opened = cron.previousRuns(1, new Date(nowMs + 1))[0]?.getTime() ?? Number.NEGATIVE_INFINITY;
    return { closesMs: opened + durationMs, opensMs: cron.nextRun(new Date(nowMs))?.getTime() };
  });
  const closings = known.map(({ closesMs }) => closesMs);
  const openings = known.flatMap(({ opensMs }) => opensMs ?? []);
  const last = Math.max(...closings);
  const isOpen = last > nowMs;
  return {
    isOpen,
    since: isOpen || !Number.isFinite(last) ? undefined : last,
    until: isOpen ? last : openings.length > 0 ? Math.min(...openings) : undefined,
    isClockWrong: false,
  };
}

/** What the rules of the contract cannot say of windows. */
export function wrongMaintenance(windows: readonly Window[], path: string): FieldViolation[] {
  return windows.flatMap((window, at) => {
    const { cron, timeZone } = window;
    if (!isTimeZone(timeZone)) {
      const message = `${evidence(timeZone)} is not in this node's time zone database; Europe/Berlin is`;
      return [{ field: `${path}[${at}].time_zone`, message }];
    }
    const why = whyNoCron({ ...window, timeZone: "" });
    return why === undefined ? [] : [{ field: `${path}[${at}].cron`, message: `${evidence(cron)} ${why}` }];
  });
}

/** Why an expression is none; undefined when it is one. */
function whyNoCron(window: Window): string | undefined {
  try {
    const next = cronOf(window).nextRun(new Date(firstBelievableMs));
    return next ? undefined : "never comes: no year has such a day";
  } catch (thrown) {
    const said = thrown instanceof Error ? thrown.message.replace(/^CronPattern: /, "") : String(thrown);
    return `is not an expression of crontab(5): ${said.replace(/\p{C}+/gu, " ")}`; // It repeats what was asked for.
  }
}

/** Fixed times that a night of spring leaves out come later, not never: as cron(8) has it. */
function cronOf({ cron, timeZone }: Window): Cron {
  const options = { mode: "5-part", fixedTimeRule: "no-wildcard", paused: true } as const;
  return new Cron(cron, { ...options, timezone: timeZone || "UTC" });
}

/** Not an offset such as `+02`, which has no summer time and says so to nobody. */
function isTimeZone(timeZone: string): boolean {
  if (timeZone === "") return true;
  if (!/^[A-Za-z]/.test(timeZone)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone }) !== undefined;
  } catch {
    return false;
  }
}
