import type { Drain, Reject } from "../../../gen/edge/v1/control_pb.ts";
import { backoffMs } from "../../base/backoff.ts";
import { type Failure, failure } from "../../base/failure.ts";

/** How an attempt to hold the line ended. */
export type End =
  | { how: "lost"; why: Failure }
  | { how: "rejected"; reject: Reject }
  | { how: "drained"; drain: Drain }
  /** The node has a new certificate, and comes back with it at once. */
  | { how: "renewed" };

/** An attempt, as the next one's pause depends on it. */
export interface Attempt {
  end: End;
  /** How long the line had been up, in milliseconds; 0 when it never was. */
  upMs: number;
}

/** A line that was up this long was a good one: the next pause counts from the beginning. */
const stableMs = 60_000;
/** Bounds of the pause after a failure; docs/protocol.md promises them. */
const pause = { firstMs: 500, lastMs: 60_000 };
/** What cannot succeed without somebody's help is tried rarely: help may come without a word. */
const rare = { leastMs: 60_000, mostMs: 300_000 };

/** A node does not stay away for longer because a hub says so. */
const longestMs = 3_600_000;

/** Failures in a row, this attempt included: what the pause grows with. */
export function failuresAfter(before: number, { end, upMs }: Attempt): number {
  if (end.how === "renewed") return before;
  return isSettled({ end, upMs }) ? 1 : before + 1;
}

/** Whether nothing speaks against the line as it was: it was up for long, or the hub asked the node to leave. */
export function isSettled({ end, upMs }: Attempt): boolean {
  return end.how === "drained" || upMs >= stableMs;
}

/** How long to wait before the next attempt, in milliseconds. `random` is uniform in [0, 1). */
export function pauseMs(end: End, failures: number, random: () => number): number {
  if (end.how === "renewed") return 0;
  if (end.how === "drained") return Math.floor(random() * Math.min(end.drain.spreadMs, longestMs));
  if (end.how === "lost") return backoffMs(failures, { ...pause, random });
  const { retryable } = end.reject;
  const retryAfterMs = Math.min(end.reject.retryAfterMs, longestMs);
  if (retryable) return retryAfterMs + backoffMs(failures, { ...pause, random });
  return Math.max(retryAfterMs, rare.leastMs + Math.floor(random() * (rare.mostMs - rare.leastMs)));
}

/** Why the line is down, for people. */
export function whyOf(end: End): Failure {
  if (end.how === "lost") return end.why;
  if (end.how === "renewed") return failure("unavailable", "the node comes back with its new certificate");
  if (end.how === "drained")
    return failure("unavailable", `the hub goes away for a while: ${end.drain.reason}`);
  const { retryable, message } = end.reject;
  return failure(retryable ? "unavailable" : "denied", `the hub does not let this node in: ${message}`);
}

/**
 * When to ask for the next certificate: at two thirds of the present one's life, give or take a thirtieth, so that a fleet
 * which enrolled together does not renew together. Wall time in milliseconds. `random` is uniform in [0, 1).
 */
export function renewalAt(notBefore: number, notAfter: number, random: () => number): number {
  return notBefore + Math.floor((notAfter - notBefore) * (2 / 3 + (random() - 0.5) / 15));
}

/**
 * How long to wait after a renewal, in milliseconds, whatever became of it: a tenth to a fifth of the time that is left, so
 * that there are many attempts, more of them towards the end, and never more than one in a second.
 */
export function retryRenewalMs(leftMs: number, random: () => number): number {
  return Math.max(1_000, Math.floor(leftMs * (0.1 + 0.1 * random())));
}
