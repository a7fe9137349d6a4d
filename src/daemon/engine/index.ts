/**
 * The container engine as the daemon knows it: calls with a time limit and a signal, its errors as failures of ours, its events, and
 * our objects as they were seen. Nothing is kept of what the engine knows.
 */

export { Engine, type EngineTimeouts, withoutFrames } from "./engine.ts";
export {
  EngineFailure,
  isEngineAway,
  isHalfStarted,
  isNotFound,
  saidInStream,
  translated,
} from "./engine-failures.ts";
export { followEvents } from "./events.ts";
export { makeNetwork } from "./make-network.ts";
export { fullReference, objectName, reservedPrefix } from "./names.ts";
export { isUp, nothing, type Observed, type ObservedContainer } from "./observed.ts";
export { type OwnObject, ownObjects } from "./own.ts";
export { pathAtEngine } from "./own-container.ts";
export type { Rlimit } from "./rlimits.ts";
