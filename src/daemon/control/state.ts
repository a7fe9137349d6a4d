import type { Failure } from "../../base/failure.ts";
import type { Transport } from "./route.ts";

/** Where the line is. */
export type LineState =
  /** No identity yet: the node waits to be enrolled. */
  | { is: "not enrolled" }
  | { is: "connecting"; address: string; transport: Transport; attempt: number }
  /** `proxy`: that between, as `host:port`. */
  | {
      is: "up";
      address: string;
      transport: Transport;
      proxy: string | undefined;
      sessionId: string;
      since: number;
    }
  /** `retryAt` is wall time in milliseconds. */
  | { is: "down"; why: Failure; attempt: number; retryAt: number };
