import { createHash } from "node:crypto";
import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Deployed } from "../agents/index.ts";

/** What is known of schedules. */
export interface Schedules {
  /** Agents of which some times are due, with these. */
  due(): { deployed: Deployed; runs: readonly number[]; until: number; missed: number }[];
  /** When the next time of any agent is, in wall milliseconds; undefined when there is none. */
  nextAt(): number | undefined;
  /** All up to there is dealt with; what of it was missed is told. */
  settle(name: string, until: number, missed: number): void;
  changes: Changes;
}

interface ScheduleTools {
  schedules: Schedules;
  clock: Clock;
  log: Logger;
  /** Keeps a task of a schedule, whose id is the same for the same time. */
  execute(deployed: Deployed, id: string): void;
}

/** A clock that is set is noticed within this time, in milliseconds. */
const longestSleepMs = 30_000;

/** Executes agents at the times of their schedules until the signal is aborted. */
export async function keepSchedules(
  { schedules, clock, log, execute }: ScheduleTools,
  signal: AbortSignal,
): Promise<void> {
  const woken = schedules.changes.wakes(signal);
  for (let wake = woken.next(); !signal.aborted; ) {
    for (const { deployed, runs, until, missed } of schedules.due()) {
      try {
        for (const at of runs) execute(deployed, idOf(deployed.name, at));
        schedules.settle(deployed.name, until, missed);
      } catch (error) {
        log.warn({ agent: deployed.name, error }, "a time of a schedule passed without a task");
      }
    }
    const next = schedules.nextAt();
    const sleepMs = next === undefined ? longestSleepMs : Math.max(0, next - clock.now());
    const over = new AbortController();
    const slept = clock.sleep(Math.min(sleepMs, longestSleepMs), AbortSignal.any([over.signal, signal]));
    const first = await Promise.race([
      slept.then(
        () => "slept",
        () => "ended",
      ),
      wake.then(() => "woken"),
    ]);
    over.abort();
    if (first === "woken") wake = woken.next();
  }
  await woken.return(undefined);
}

/** Equal for the same time of the same agent: after a crash in between, it is the same task. */
function idOf(agent: string, at: number): string {
  return `task-${createHash("sha256").update(`${agent} ${at}`).digest("hex").slice(0, 32)}`;
}
