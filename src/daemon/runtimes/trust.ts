import type { ObservedContainer } from "./observed.ts";
import { isUp, type Step } from "./plan.ts";
import type { Wish } from "./store.ts";

/**
 * Whether the engine may start a runtime's program again by itself, so that it comes back after a power cut though the daemon is
 * broken. `earned`: it has run for long enough. `lost`: it ended too soon, and only the daemon starts it, slower and slower.
 * Undefined: it is as it was.
 */
export type Trust = "earned" | "lost" | undefined;

/** What is known of how well a program runs. */
export interface Record {
  /** How long it has run, as far as this daemon saw, in milliseconds; undefined when it does not run. */
  ranMs: number | undefined;
  /** Ends in a row that came too soon. */
  quickEnds: number;
}

/** `trustAfterMs` is the setting; a program that ended too soon before must run for `stableMs` at least. */
export function trustOf(
  { ranMs, quickEnds }: Record,
  { trustAfterMs, stableMs }: { trustAfterMs: number; stableMs: number },
): Trust {
  const neededMs = quickEnds > 0 ? Math.max(trustAfterMs, stableMs) : trustAfterMs;
  if (ranMs !== undefined && ranMs >= neededMs) return "earned";
  return quickEnds > 0 ? "lost" : undefined;
}

/** Allows or forbids the engine to start a container again. One that should not run must not come back by itself. */
export function planTrust(
  wish: Wish,
  { id, restartPolicy, ...kept }: ObservedContainer,
  trust: Trust,
): Step[] {
  const set = (policy: "unless-stopped" | "no", reason: string): Step[] =>
    restartPolicy === policy ? [] : [{ do: "setRestarts", container: id, policy, reason }];
  if (wish.desired === "stopped") return set("no", "it should be stopped, whoever starts the engine");
  if (trust === "lost")
    return set("no", "its program ended too soon: only the daemon starts it again, and slower");
  if (trust !== "earned" || wish.stage !== "made" || !isUp(kept)) return [];
  return set("unless-stopped", "its program runs well: the engine may start it again without the daemon");
}
