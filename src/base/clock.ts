import { setTimeout as sleepFor } from "node:timers/promises";

/** Time, as an argument. Wall time is for people; elapsed time is for decisions, because nobody can set it. */
export interface Clock {
  /** Wall time in milliseconds since 1970, UTC. May jump either way. */
  now(): number;
  /** Milliseconds since some moment in the past. Never jumps, never goes back. */
  elapsed(): number;
  /** Resolves after `ms`, however many they are, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The longest that one timer of Node waits; with more, it does not wait at all. */
const longestTimerMs = 2 ** 31 - 1;

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  async sleep(ms, signal) {
    try {
      for (let leftMs = ms; ; leftMs -= longestTimerMs) {
        await sleepFor(Math.min(leftMs, longestTimerMs), undefined, signal ? { signal } : {});
        if (leftMs <= longestTimerMs) return;
      }
    } catch (thrown) {
      signal?.throwIfAborted();
      throw thrown;
    }
  },
};
