import type { Failure } from "../../base/failure.ts";

/** Where the line is. */
export type LineState =
  /** No identity yet: the node waits to be enrolled. */
  | { is: "not enrolled" }
  | { is: "connecting"; address: string; attempt: number }
  | { is: "up"; address: string; sessionId: string; since: number }
  /** `retryAt` is wall time in milliseconds. */
  | { is: "down"; why: Failure; attempt: number; retryAt: number };
