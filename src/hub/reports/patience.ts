import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";

/** Time between two attempts, in milliseconds. */
const pauseMs = 1_000;

/**
 * Waits for a store that is away, instead of failing: nodes keep their lines meanwhile, and their flow control keeps what they say
 * bounded. Ends with the signal, or with any other failure.
 */
export function patient(clock: Clock, signal: AbortSignal) {
  return async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (thrown) {
        if (!(thrown instanceof Failure) || thrown.kind !== "unavailable" || signal.aborted) throw thrown;
        await clock.sleep(pauseMs, signal).catch(() => {});
      }
    }
  };
}
