import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { Deployed } from "../agents/index.ts";
import type { Journal } from "../journal/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import type { Schedules } from "./by-schedule.ts";
import type { QueueLimits } from "./new-task.ts";

/** What this room asks of agents. */
export interface KnownAgents {
  /** Told when an agent is another than before. */
  changes: Changes;
  /** Current versions of all. */
  all(): Deployed[];
  /** The current version of one. */
  current(name: string): Deployed | undefined;
  version(name: string, version: number): Deployed | undefined;
  /** Sees to it that the engine has the image of a version. */
  bringImage(deployed: Deployed, signal: AbortSignal): Promise<void>;
  schedules: Schedules;
}

export interface TasksOptions extends Omit<QueueLimits, "kept"> {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  agents: KnownAgents;
  cells: AttemptTools["cells"];
  /** A cell of a former life of the daemon goes on: what others put into it works again. */
  adopt: AttemptTools["adopt"];
  /** By a clock that begins with the machine. */
  machineTime: AttemptTools["machineTime"];
  /** `tasks.slots`: how many run at once. */
  slots: () => number;
  kept: QueueLimits["kept"];
  /** How many cells there may be, waiting ones included. */
  maxCells: () => number;
  /**
   * Whether the node's owner allows a container of this agent beside those that there are.
   * @throws {Failure} denied. exhausted: not beside those.
   */
  judge: (deployed: Deployed, others: readonly Deployed[]) => void;
}
