import { Transport as WireTransport } from "../../../gen/edge/v1/transport_pb.ts";
import type { Failure } from "../../base/failure.ts";
import type { Transport } from "./route.ts";

/** Where the line is. */
export type LineState =
  /** No identity yet: the node waits to be enrolled. */
  | { is: "not enrolled" }
  /** `why`: what became of the attempt before; undefined when there was none. */
  | { is: "connecting"; address: string; transport: Transport; attempt: number; why: Failure | undefined }
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

/** Why the line is not up, as the last attempt told it; undefined when there was none since it was. */
export function reasonOf(state: LineState): Failure | undefined {
  return "why" in state ? state.why : undefined;
}

/** What a line tells others of the way that it takes. */
export function travelOf(state: LineState) {
  const isUp = state.is === "up";
  const by = { grpc: WireTransport.GRPC, websocket: WireTransport.WEBSOCKET };
  return {
    connected: isUp,
    address: isUp ? state.address : undefined,
    transport: isUp ? by[state.transport] : WireTransport.UNSPECIFIED,
    proxy: isUp ? state.proxy : undefined,
    problem: reasonOf(state)?.message,
  };
}
