import type { Clock } from "../../base/clock.ts";
import { type Failure, failure } from "../../base/failure.ts";
import { isUp, type ObservedContainer } from "../engine/index.ts";
import type { Wish } from "../wishes/index.ts";
import { type Pace, pauseMs, staysEnded } from "./pace.ts";
import type { Pause, Tended } from "./tended.ts";

/** Notes since when its container runs. */
export function noteUp(tended: Tended, seen: ObservedContainer | undefined, now: number): void {
  if (!seen || !isUp(seen)) tended.up = undefined;
  else if (tended.up?.startedAt !== seen.startedAt) tended.up = { startedAt: seen.startedAt, since: now };
}

/**
 * Notes until when a program that ended by itself must wait for its next start. It follows from the end's moment and from what the
 * wish keeps, so that a new life of the daemon goes on where the last one was.
 * @returns the pause when it is a new one.
 */
export function notePause(
  tended: Tended,
  wish: Wish,
  seen: ObservedContainer | undefined,
  { clock, pace }: { clock: Clock; pace: Pace },
): Pause | undefined {
  if (!isEnded(wish, seen)) {
    tended.pause = undefined;
    return undefined;
  }
  if (tended.pause?.ended === seen.finishedAt) return undefined;
  const ms = pauseMs(wish.endsInARow, pace);
  // A wall clock that was set in between makes no pause longer.
  const leftMs = Math.min(Math.max(Date.parse(seen.finishedAt) + ms - clock.now(), 0), ms);
  tended.pause = { ended: seen.finishedAt, until: clock.elapsed() + leftMs, at: clock.now() + leftMs };
  return tended.pause;
}

function isEnded(wish: Wish, seen: ObservedContainer | undefined): seen is ObservedContainer {
  if (!seen || isUp(seen) || wish.desired !== "running" || wish.stage !== "made") return false;
  return wish.endedByItself && wish.endsInARow > 0 && seen.finishedAt === wish.ended && !staysEnded(wish);
}

/** Why a program does not run whose next start must wait. */
export function whyPaused({ name, endsInARow }: Wish, seen: ObservedContainer): Failure {
  return failure("invalid", `the program of runtime ${name}: it ${endedSo(endsInARow, seen.exitCode)}`);
}

/** How often it ended, and how at last. */
export function endedSo(endsInARow: number, exitCode: number | undefined): string {
  const code = exitCode === undefined ? "" : ` with exit code ${exitCode}`;
  if (endsInARow < 2) return `ended on its own${code}`;
  return `ended on its own ${endsInARow} times in a row, the last time${code}`;
}
