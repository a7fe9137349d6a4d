import type { Failure } from "../../base/failure.ts";

/** Where a node of a rollout is. */
export type PartState = "waiting" | "running" | "settling" | "succeeded" | "failed" | "skipped";

/** Where it is on its way back to what it had before. */
export type BackState = "running" | "done" | "failed";

/**
 * What is to be undone at a node: what it had `before` is kept, or `nothing` was done; it is `unknown`, because it did not say, or
 * `too_large` to be kept.
 */
export type Undo = "nothing" | "before" | "unknown" | "too_large";

/** A node of a rollout, at its place in the order in which nodes are taken. */
export interface Part {
  readonly place: number;
  readonly nodeId: string;
  readonly state: PartState;
  /** When it has failed if it has not answered or settled, in milliseconds since 1970; absent before its batch began. */
  readonly deadlineAt?: number;
  /** Since when it is healthy, and how many restarts its runtimes had then; absent while it is not. */
  readonly healthy?: { readonly since: number; readonly restarts: number };
  /** What it lacks while it settles, as a sentence. */
  readonly waitsFor?: string;
  readonly undo: Undo;
  /** Its way back; without a command when there was nothing to send. */
  readonly back?: { readonly state: BackState; readonly deadlineAt?: number; readonly commandId?: string };
}

/** What was asked of a rollout. */
export interface Course {
  /** Nodes of one batch. */
  batch: number;
  maxFailures: number;
  timeoutMs: number;
  skipOffline: boolean;
  /** How long a node must have been healthy before it counts as done; 0 when its answer is enough. */
  settleMs: number;
  /** Whether a rollout that fails is undone. */
  rollBack: boolean;
  /** Who called it off, holds it, or had it undone; empty when nobody did. */
  calledOffBy: string;
  pausedBy: string;
  backBy: string;
}

/** What the runtimes that were wished for are at a node. Restarts tell one life of a program from the next. */
export type Wellbeing =
  | { is: "well"; restarts: number }
  | { is: "coming"; says: string }
  | { is: "broken"; says: string };

/** What is known of the nodes now. */
export interface Sight {
  now: number;
  /** Whether nodes have had the time to come back since the hub began: before, one that is silent is not late, nor away. */
  settled: boolean;
  has(nodeId: string): boolean;
  isConnected(nodeId: string): boolean;
  wellbeing(nodeId: string): Wellbeing;
}

/** What is to happen to a node. */
export type Step =
  | { readonly does: "begin" | "settled" | "note" | "goBack"; readonly part: Part }
  | { readonly does: "end"; readonly part: Part; readonly state: "failed" | "skipped"; readonly why: Failure }
  | { readonly does: "endBack"; readonly part: Part; readonly why: Failure };

export type RolloutState =
  | "running"
  | "paused"
  | "rolling_back"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "rolled_back";

/** Whether nothing more happens by itself. */
export function isOver(state: RolloutState): boolean {
  return state !== "running" && state !== "paused" && state !== "rolling_back";
}

/** What is to happen, and where the rollout is when it has. */
export interface Plan {
  steps: Step[];
  state: RolloutState;
  /** Why it is there, as a sentence. */
  reason: string;
}

/** A number of nodes in words. */
export function nodes(count: number): string {
  return count === 1 ? "1 node" : `${count} nodes`;
}
