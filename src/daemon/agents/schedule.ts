import { Cron } from "croner";
import { type AgentSchedule, MissedRuns } from "../../../gen/edge/v1/agents_pb.ts";

/** The contract: of times that were missed, so many are made up for. */
const mostMissed = 100;
/** A time that passed so recently, in milliseconds, was not missed: whoever looks is a little late. */
const onTimeMs = 60_000;
/** What was dealt with lies further ahead, in milliseconds: the clock was wrong then, and has been set. */
const clockWasSetMs = 24 * 3_600_000;

/** What a schedule asks for now. Moments are wall time in milliseconds. */
export interface Due {
  /** The times that get a task each, oldest first. */
  runs: number[];
  /** How many passed without anybody looking, whatever is done about them; `mostMissed` stands for any more. */
  missed: number;
  /** Up to here all is dealt with when that is done. */
  until: number;
}

/** Which runs are due: of the times after `until`, up to now. A clock that was set back runs nothing twice. */
export function dueRuns(schedule: AgentSchedule, until: number, now: number): Due {
  const wasAhead = until - now > clockWasSetMs;
  if (schedule.paused || until >= now) return { runs: [], missed: 0, until: wasAhead ? now : until };
  const times = timesBetween(cronOf(schedule), until, now);
  const newest = times.at(-1);
  const isOnTime = newest !== undefined && now - newest <= onTimeMs;
  const missed = isOnTime ? times.slice(0, -1) : times;
  return {
    runs: [...made(schedule.missed, missed, isOnTime), ...(isOnTime ? [newest] : [])],
    missed: missed.length,
    until: now,
  };
}

/** The newest of the times after one moment, up to another, oldest first: more than `mostMissed` of them are as good as any. */
function timesBetween(cron: Cron, after: number, upTo: number): number[] {
  const first = cron.nextRun(new Date(after))?.getTime();
  if (first === undefined || first > upTo) return [];
  const second = cron.nextRun(new Date(first))?.getTime();
  if (second === undefined || second > upTo) return [first]; // As always, but after a time of being off.
  return cron
    .previousRuns(mostMissed + 1, new Date(upTo + 1)) // Without a time that is just now, otherwise.
    .map((time) => time.getTime())
    .filter((time) => time > after)
    .toReversed();
}

function made(policy: MissedRuns, missed: readonly number[], isOnTime: boolean): number[] {
  if (policy === MissedRuns.ALL) return missed.slice(-mostMissed);
  // The one that is on time stands for those before it, too.
  if (policy === MissedRuns.ONCE && !isOnTime) return missed.slice(-1);
  return [];
}

/** When it executes its agent next, after a moment; undefined when it does not. */
export function nextRun(schedule: AgentSchedule | undefined, after: number): number | undefined {
  if (!schedule || schedule.paused) return undefined;
  return cronOf(schedule).nextRun(new Date(after))?.getTime();
}

/** What is wrong with a schedule, by field. */
export function scheduleViolations({ cron, timeZone }: AgentSchedule): { field: string; message: string }[] {
  try {
    new Intl.DateTimeFormat("en", { timeZone: timeZone || "UTC" });
  } catch {
    return [{ field: "time_zone", message: "must be a time zone by its IANA name, as in Europe/Vienna" }];
  }
  const fields = cron.trim().split(/\s+/).length;
  try {
    if (fields !== 5 && fields !== 6) throw new Error("nicknames and dates are not of the contract");
    const next = cronOf({ cron, timeZone }).nextRun();
    return next ? [] : [{ field: "cron", message: "names no time that ever comes" }];
  } catch {
    const message = "must be five or six fields of cron, as in */5 * * * *; with six the first is seconds";
    return [{ field: "cron", message }];
  }
}

function cronOf({ cron, timeZone }: Pick<AgentSchedule, "cron" | "timeZone">): Cron {
  return new Cron(cron, { timezone: timeZone || "UTC", paused: true, mode: "5-or-6-parts" });
}
