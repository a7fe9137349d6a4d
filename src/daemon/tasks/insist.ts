import { backoffMs } from "../../base/backoff.ts";
import { asFailure } from "../../base/failure.ts";
import type { AttemptTools } from "./attempt-tools.ts";

/** Between two attempts, in milliseconds: an engine is away for as long as it takes to restart it, or much longer. */
const pauseMs = { firstMs: 500, lastMs: 10_000 };

/**
 * Does what must be done, as often as it takes: while the engine is away or the disk is full, it is tried again. Rejects with
 * other failures, and with the signal's reason.
 */
export async function insist<T>(
  { clock, log, random, signal }: Pick<AttemptTools, "clock" | "log" | "random" | "signal">,
  doing: string,
  work: () => T | Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      if (failures === 1) log.warn({ error, doing }, "something cannot be done now; it is tried again");
      await clock.sleep(backoffMs(failures, { ...pauseMs, random }), signal);
    }
  }
}

/** Whether a failure is of the surroundings, and goes when they are well again. */
export function isPassing(thrown: unknown): boolean {
  return ["unavailable", "exhausted", "deadline"].includes(asFailure(thrown).kind);
}
