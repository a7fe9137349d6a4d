import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";
import { isUp, type ObservedContainer } from "../engine/index.ts";
import type { Wish } from "../wishes/index.ts";
import type { RestartPolicy, Step } from "./step.ts";

/**
 * Whether the engine may start a runtime's program again by itself, so that it comes back after a power cut though the daemon is
 * broken. `earned`: it has run for long enough. `lost`: it ended by itself, and only the daemon starts it, slower and slower.
 * Undefined: it is as it was.
 */
export type Trust = "earned" | "lost" | undefined;

/** What is known of how well a program runs. */
export interface Record {
  /** How long it has run, as far as this daemon saw, in milliseconds; undefined when it does not run. */
  ranMs: number | undefined;
  /** Ends in a row with no good run in between. */
  endsInARow: number;
}

/** `trustAfterMs` is the setting; a program that ended before needs a good run: the engine's own pauses begin at a tenth of ours. */
export function trustOf(
  { ranMs, endsInARow }: Record,
  { trustAfterMs, wellMs }: { trustAfterMs: number; wellMs: number },
): Trust {
  const neededMs = endsInARow > 0 ? Math.max(trustAfterMs, wellMs) : trustAfterMs;
  if (ranMs !== undefined && ranMs >= neededMs) return "earned";
  return endsInARow > 0 ? "lost" : undefined;
}

/** With what the engine brings back what should run, and nothing else. */
const policies: { [M in RestartMode]: RestartPolicy } = {
  [RestartMode.UNSPECIFIED]: "unless-stopped",
  [RestartMode.ALWAYS]: "unless-stopped",
  // A program that a power cut ended has exit code 255, as the engine sees it; one that ended with 0 stays ended.
  [RestartMode.ON_FAILURE]: "on-failure",
  [RestartMode.NEVER]: "no",
};

/** Allows or forbids the engine to start a container again. One that should not run must not come back by itself. */
export function planTrust(
  wish: Wish,
  { id, restartPolicy, ...kept }: ObservedContainer,
  trust: Trust,
): Step[] {
  const set = (policy: RestartPolicy, reason: string): Step[] =>
    restartPolicy === policy ? [] : [{ do: "setRestarts", container: id, policy, reason }];
  if (wish.desired === "stopped") return set("no", "it should be stopped, whoever starts the engine");
  if (trust === "lost")
    return set("no", "its program ended by itself: only the daemon starts it again, and slower");
  if (trust !== "earned" || wish.stage !== "made" || !isUp(kept)) return [];
  return set(
    policies[wish.spec.restart] ?? "no",
    "its program runs well: the engine may start it again without the daemon",
  );
}
