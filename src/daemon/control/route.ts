import { brokenOnTheWay, saidByHub } from "./lost.ts";
import { type Attempt, type End, isSettled } from "./plan.ts";

/** How frames travel: as gRPC, or in a WebSocket where something on the way breaks HTTP/2. */
export type Transport = "grpc" | "websocket";

/** Which way the next attempt takes. */
export interface Route {
  /** Which of the hub's addresses. The first is preferred. */
  index: number;
  transport: Transport;
  /** When HTTP/2 was last tried in vain: elapsed milliseconds; undefined while nothing speaks against it. */
  doubtedAt?: number | undefined;
}

/**
 * How far an attempt came. `nowhere`: there was no connection, or who answered is not the hub. `silence`: a connection stood,
 * and the hub was not heard on it. `hub`: it was heard.
 */
export type Reached = "nowhere" | "silence" | "hub";

/** See `Reached`. `isUp`: the hub let the node in. */
export function reachedBy(end: End, { isConnected, isUp }: { isConnected: boolean; isUp: boolean }): Reached {
  if (isUp || end.how !== "lost" || end.why.word === saidByHub) return "hub";
  return isConnected || end.why.word === brokenOnTheWay ? "silence" : "nowhere";
}

/** HTTP/2 is tried again after this long, in milliseconds, when the line is to be dialled anyway. */
export const doubtMs = 3_600_000;

export const firstRoute: Route = { index: 0, transport: "grpc" };

/**
 * The way of the next attempt at one of `count` addresses, at `now` (elapsed milliseconds). Addresses are tried in turn, and the
 * first again after a line that was a good one. A connection on which HTTP/2 stays silent is tried with a WebSocket at once; what
 * works is kept.
 */
export function nextRoute(
  route: Route,
  { reached, ...attempt }: Attempt & { reached: Reached },
  { count, now }: { count: number; now: number },
): Route {
  const index = route.index % count;
  // The same once more, with the new certificate.
  if (attempt.end.how === "renewed") return { ...route, index };
  if (route.transport === "grpc" && reached === "silence")
    return { index, transport: "websocket", doubtedAt: now };
  const isCleared = reached === (route.transport === "grpc" ? "hub" : "silence");
  const doubtedAt = isCleared ? undefined : route.doubtedAt;
  const transport = doubtedAt !== undefined && now - doubtedAt < doubtMs ? "websocket" : "grpc";
  return { index: isSettled(attempt) ? 0 : (index + 1) % count, transport, doubtedAt };
}
