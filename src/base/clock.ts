import { setTimeout as sleepFor } from "node:timers/promises";

/** Time, as an argument. Wall time is for people; elapsed time is for decisions, because nobody can set it. */
export interface Clock {
  /** Wall time in milliseconds since 1970, UTC. May jump either way. */
  now(): number;
  /** Milliseconds since some moment in the past. Never jumps, never goes back. */
  elapsed(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await sleepFor(ms, undefined, signal ? { signal } : {});
    } catch (thrown) {
      signal?.throwIfAborted();
      throw thrown;
    }
  },
};
