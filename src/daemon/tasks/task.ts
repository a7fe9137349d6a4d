import type { State } from "./transitions.ts";

/** From the least urgent to the most. */
export const priorities = ["low", "normal", "high", "critical"] as const;
export type Priority = (typeof priorities)[number];

/** A task as it is kept. Moments are wall time in milliseconds since 1970. */
export interface TaskRecord {
  /** Grows from task to task. */
  number: number;
  id: string;
  agent: string;
  version: number;
  state: State;
  /** Why it is in this state, for people. */
  reason: string;
  priority: Priority;
  cause: "command" | "schedule" | "parent";
  actor: string;
  labels: readonly { key: string; value: string }[];
  /** How long one attempt may take. */
  wallTimeMs: number;
  inputBytes: number;

  /** Empty for the first of a tree. */
  parentId: string;
  rootId: string;
  depth: number;
  /** By which its parent knows it again; empty when it has none. */
  spawnKey: string;
  /** Tasks that must have succeeded first, and those of them that have not yet. */
  after: readonly string[];
  waitsFor: readonly string[];

  queuedAt: number;
  /** When its last attempt got its input. */
  startedAt?: number | undefined;
  finishedAt?: number | undefined;
  /** When it is tried again, and how long that was ahead when it was decided: by this a clock that was set is known. */
  nextAttemptAt?: number | undefined;
  pauseMs?: number | undefined;

  /** Attempts that were begun. */
  attempts: number;
  exitCode?: number | undefined;
  outOfMemory: boolean;
  warm: boolean;
  cpuMs: number;
  memoryPeakBytes: number;
  runMs: number;
  waitedMs: number;
  outputBytes: number;
  outputCut: boolean;

  /** Its cell, or the one that is yet to be put away; empty when it has none. */
  cellId: string;
  containerId: string;
  /** Whether the engine took all of its input for the program of the current attempt. */
  given: boolean;
  /** When the current attempt began, by the machine's own clock of this boot, which nobody sets. */
  beganAt?: MachineTime | undefined;
  /** Why its attempt is being ended. */
  ending?: "cancelled" | "late" | undefined;
}

/** A moment by a clock that begins with the machine: it tells how long ago something was, also to the next life of the daemon. */
export interface MachineTime {
  bootId: string;
  uptimeMs: number;
}
