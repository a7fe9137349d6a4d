/** Where a task is in its life; the contract's words. */
export type State =
  | "queued"
  | "starting"
  | "running"
  | "stopping"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "timed_out";

/**
 * Which state may follow which. A final state is never left. A task is running before its input is handed over, and never starts
 * again from there by itself: it is queued again only after its attempt failed.
 */
export const follows: Readonly<Record<State, readonly State[]>> = {
  // A container that waits is there at once. What a task comes after may fail it.
  queued: ["starting", "running", "failed", "cancelled"],
  starting: ["running", "queued", "failed", "cancelled"],
  running: ["stopping", "succeeded", "failed", "queued"],
  stopping: ["cancelled", "timed_out", "queued"],
  succeeded: [],
  failed: [],
  cancelled: [],
  timed_out: [],
};

export function mayFollow(from: State, to: State): boolean {
  return follows[from].includes(to);
}

export function isFinal(state: State): boolean {
  return follows[state].length === 0;
}
