import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Wish } from "../wishes/index.ts";

/** How soon a program that ended is started again, and how much later each time. In milliseconds. */
export interface Pace {
  /** Before the first start after an end; twice as long each time. */
  firstMs: number;
  lastMs: number;
  /** A run of this length was a good one: the next pause is the first again. */
  wellMs: number;
}

/** What the contract says. */
export const usualPace: Pace = { firstMs: 1_000, lastMs: 300_000, wellMs: 600_000 };

/** The pause before the next start, after so many ends in a row. Without jitter: it is told when the start will be. */
export function pauseMs(endsInARow: number, { firstMs, lastMs }: Pace): number {
  const doublings = Math.min(Math.max(endsInARow - 1, 0), 30); // 2^1024 is Infinity.
  return Math.min(lastMs, firstMs * 2 ** doublings);
}

type Life = Pick<
  Wish,
  "spec" | "desired" | "stage" | "endedByItself" | "started" | "ended" | "exitCode" | "unhealthyStart"
>;

/** Whether the program ended by itself, and stays so until a command starts it. One that was stopped for its health does not. */
export function staysEnded(wish: Life): boolean {
  if (wish.desired !== "running" || wish.stage !== "made") return false;
  if (!wish.endedByItself || wish.ended === "" || wasStoppedForHealth(wish)) return false;
  return isFinal(wish, wish.exitCode);
}

/** Whether an end with this exit code is one to which the wish says nothing more. */
export function isFinal({ spec }: Pick<Wish, "spec">, exitCode: number | undefined): boolean {
  if (spec.restart === RestartMode.NEVER) return true;
  return spec.restart === RestartMode.ON_FAILURE && exitCode === 0;
}

/** Whether a program that ended has done all that it had to. */
export function hasDoneAll(
  wish: Pick<Wish, "spec">,
  { state, exitCode }: { state: string; exitCode: number | undefined },
): boolean {
  return state === "exited" && exitCode === 0 && isFinal(wish, exitCode);
}

/** Whether the run that ended last was ended by us, because it was unhealthy. */
export function wasStoppedForHealth({
  unhealthyStart,
  started,
}: Pick<Wish, "unhealthyStart" | "started">): boolean {
  return unhealthyStart !== "" && unhealthyStart === started;
}
