import { SessionState } from "../../../gen/edge/v1/sessions_pb.ts";
import { formatDuration } from "../../base/quantity.ts";

/** What decides where a session is in its life. */
export interface Facts {
  /** Since it last took messages, or began, in milliseconds. */
  quietMs: number;
  /** So long may nothing come until it is closed, in milliseconds. */
  timeoutMs: number;
  /** Since it began to close, in milliseconds; undefined when it did not. */
  closingMs: number | undefined;
  /** Whether a task that used it still runs. */
  isInUse: boolean;
}

/** Where a session is, and after how long it will be elsewhere by itself. */
export interface Standing {
  state: SessionState;
  nextMs: number;
}

/** A closing session waits so long for tasks that use it, and no longer: closing always comes to its end. */
export const mostClosingMs = 30_000;

/** How often is looked whether tasks still use a closing session, in milliseconds. */
const lookMs = 1_000;

/** Where a session that is not closed yet is now. */
export function standing(facts: Facts, { idleAfterMs }: { idleAfterMs: number }): Standing {
  const { quietMs, timeoutMs, closingMs, isInUse } = facts;
  const leftMs = timeoutMs - quietMs;
  if (closingMs === undefined && leftMs > 0) {
    const isIdle = quietMs >= idleAfterMs;
    const nextMs = isIdle ? leftMs : Math.min(leftMs, idleAfterMs - quietMs);
    return { state: isIdle ? SessionState.IDLE : SessionState.ACTIVE, nextMs };
  }
  const waitMs = mostClosingMs - (closingMs ?? 0);
  if (!isInUse || waitMs <= 0) return { state: SessionState.CLOSED, nextMs: Number.POSITIVE_INFINITY };
  return { state: SessionState.CLOSING, nextMs: Math.min(waitMs, lookMs) };
}

/** Why a session came by itself into the state that it is in. */
export function reasonOf(
  state: SessionState,
  { idleAfterMs, timeoutMs }: { idleAfterMs: number; timeoutMs: number },
): string {
  if (state === SessionState.ACTIVE) return "it takes messages";
  return `nothing came for ${formatDuration(state === SessionState.IDLE ? idleAfterMs : timeoutMs)}`;
}
