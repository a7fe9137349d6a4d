import { backoffMs } from "../../base/backoff.ts";
import type { TendedVnic } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** Longest pauses before what failed is tried again. */
const retryMs = { firstMs: 2_000, lastMs: 300_000 };
/** Of a conflict: the other machine has to go first, and is asked each time. */
const conflictMs = { firstMs: 10_000, lastMs: 300_000 };

/** Remembers what failed of a vNIC, and when it is tried again: later each time. Half of each pause is sure. */
export function fail(
  vnic: TendedVnic,
  problem: { readonly reason: string; readonly otherMac?: string },
  { clock, random }: Pick<Tools, "clock" | "random">,
): void {
  const attempt = (vnic.problem?.attempt ?? 0) + 1;
  const range = problem.otherMac === undefined ? retryMs : conflictMs;
  const pauseMs = backoffMs(attempt, { ...range, random: () => (1 + random()) / 2 });
  vnic.problem = { ...problem, attempt, retryAt: clock.elapsed() + pauseMs };
}
