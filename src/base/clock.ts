import { setTimeout as sleepFor } from "node:timers/promises";

/** Time, as an argument. Wall time is for people; elapsed time is for decisions, because nobody can set it. */
export interface Clock {
  /** Wall time in milliseconds since 1970, UTC. May jump either way. */
  now(): number;
  /** Milliseconds since some moment in the past. Never jumps, never goes back. */
  elapsed(): number;
  /** Resolves after `ms` of elapsed time, never before, however many they are, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The longest that one timer of Node waits; with more, it does not wait at all. */
const longestTimerMs = 2 ** 31 - 1;

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  async sleep(ms, signal) {
    const end = performance.now() + ms;
    try {
      // A timer of Node may be up to a millisecond early: who looked then would find that it is not time yet, and sleep for ever.
      for (let leftMs = ms; ; leftMs = end - performance.now()) {
        await sleepFor(Math.min(Math.ceil(leftMs), longestTimerMs), undefined, signal ? { signal } : {});
        if (!(performance.now() < end)) return;
      }
    } catch (thrown) {
      signal?.throwIfAborted();
      throw thrown;
    }
  },
};
