import { RuntimeChangeKind } from "../../../gen/edge/v1/command_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Change } from "./news.ts";
import type { ObservedContainer } from "./observed.ts";
import { isUp } from "./plan.ts";
import type { Wish } from "./store.ts";
import type { Tended } from "./tended.ts";

/** A program that ended sooner than this after its start may do so again, in milliseconds. */
export const stableMs = 60_000;

/** Notes since when its container runs. */
export function noteUp(tended: Tended, seen: ObservedContainer | undefined, now: number): void {
  if (!seen || !isUp(seen)) tended.up = undefined;
  else if (tended.up?.startedAt !== seen.startedAt) tended.up = { startedAt: seen.startedAt, since: now };
}

/**
 * A program that ended by itself is started again; at once if it ran for a while, later and later if it did not. `before` is the
 * wish as it was before this look. Returns why the next start must wait.
 */
export function endedTooSoon(
  tended: Tended,
  before: Wish,
  changes: readonly Change[],
  seen: ObservedContainer | undefined,
): Failure | undefined {
  const end = changes.findLast(({ kind }) => kind === RuntimeChangeKind.EXITED);
  if (!end || !seen || before.desired !== "running") return undefined;
  // One that runs again was started again by the engine: what ended is the run before.
  const ranMs = Date.parse(seen.finishedAt) - Date.parse(isUp(seen) ? before.started : seen.startedAt);
  tended.quickEnds = ranMs < stableMs ? tended.quickEnds + 1 : 0;
  return tended.quickEnds > 0
    ? failure("invalid", `the program of runtime ${before.name}: ${end.reason}`)
    : undefined;
}
