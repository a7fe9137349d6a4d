import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Failure } from "../../base/failure.ts";

/** What a runtime should be, and what was last seen of it: what was seen decides which facts are new. */
export interface Wish {
  name: string;
  spec: RuntimeSpec;
  specHash: string;
  /** What its container is marked with: another one for each version that needs another container. */
  madeHash: string;
  desired: "running" | "stopped" | "absent";
  /** Until it ran once, a failure undoes it; afterwards it is kept alive. */
  stage: "creating" | "made" | "undoing";
  /** The command that created it. */
  commandId: string;
  /** The command that last changed it: what follows from it is recorded under this id. */
  actingCommandId: string;
  /** Whether a delete leaves the volume. */
  keepVolume: boolean;
  /** Wall time in milliseconds since 1970. */
  createdAt: number;
  /** The image that its tag meant at its create, by the engine's id; empty until that is known. */
  imageId: string;
  /** The same image by its registry's digest; empty when it came from none. */
  imageDigest: string;
  /** Which profiles it was created with: see `profileVersion`. */
  profileVersion: number;
  /** Times that the node started it again after it ended or vanished on its own. */
  restarts: number;
  /** Times that its container ended for want of memory. */
  oomKills: number;
  restartCommandId: string;
  /** A restart is asked for as long as the container still has this start: so it is done once, whatever crashes. */
  restartOf: string;
  /** The container that was last seen; empty when none was. */
  containerId: string;
  /** The container's start that was last recorded, by the engine's clock. */
  started: string;
  /** The container's end that was last recorded, by the engine's clock. */
  ended: string;
  /** Whether nobody had asked for its last end, so that the next start is a restart of ours. */
  endedByItself: boolean;
  exitCode: number | undefined;
  /** How often its program ended by itself with no good run in between: it decides the pause before the next start. */
  endsInARow: number;
  /** The start whose run is to be ended because it is unhealthy: kept, so that it is done once, whatever crashes. */
  unhealthyStart: string;
  /** What was last told of its health, over all its runs: so each change is told once. */
  health: Health;
  /** Whether a check of the daemon ever succeeded: one that nobody asked for counts only then. */
  answered: boolean;
  /** What is being removed, as `container/...`; written before it is removed. */
  removing: readonly string[];
  /** Why it is being undone. */
  failure: Failure | undefined;
  /** The update that may still be rolled back. */
  probation: Probation | undefined;
  /** How much of its time that update has used, in milliseconds: a new life of the daemon does not begin it anew. */
  probationUsedMs: number;
  /** What was changed in place, and engine or netmon are still to be told. */
  untold: readonly Untold[];
  /** Volumes of versions that nobody goes back to any more: to be removed. */
  oldVolumes: readonly string[];
}

/** What others than the daemon must be told of when it is changed in place. */
export type Untold = "limits" | "vnics";

/** A runtime that is gone. */
export interface Ended {
  name: string;
  commandId: string;
  keepVolume: boolean;
  removed: readonly string[];
  /** Why it was undone; undefined when it was deleted. */
  failure: Failure | undefined;
}

/** What can be gone back to: all of a wish that an update changes. */
export type Version = Pick<
  Wish,
  "spec" | "specHash" | "madeHash" | "desired" | "imageId" | "imageDigest" | "profileVersion"
>;

/** An update that may still be rolled back. */
export interface Probation {
  /** The command that asked for it. */
  commandId: string;
  /** Whether it got another container, which must show that it works; else engine and netmon must take what was changed. */
  isSwap: boolean;
  /** How long the new version may take until it is healthy, in milliseconds. */
  limitMs: number;
  previous: Version;
}
