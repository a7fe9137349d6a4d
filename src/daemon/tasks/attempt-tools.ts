import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Deployed } from "../agents/index.ts";
import type { Cell } from "../sandbox/index.ts";
import type { CellHost } from "./cell-host.ts";
import type { Ledger } from "./ledger.ts";
import type { MachineTime } from "./task.ts";

/** What attempts need of others. */
export interface AttemptTools {
  ledger: Ledger;
  cells: CellHost;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Lets go of everything: the daemon stops. */
  signal: AbortSignal;
  machineTime(): MachineTime;
  /** What a version of an agent is. */
  version(agent: string, version: number): Deployed | undefined;
  /** Sees to it that the engine has its image again. */
  bringImage(deployed: Deployed, signal: AbortSignal): Promise<void>;
  /**
   * Before a container is made: whether the node allows it now, and that there is room.
   * @throws {Failure} denied. exhausted: there is none yet.
   */
  admit(deployed: Deployed, cellId: string, signal: AbortSignal): Promise<void>;
  /** A cell of a former life of the daemon goes on: what others put into it works again. */
  adopt(cell: Cell): Promise<void>;
  /** The engine makes no containers now, for this reason. */
  onTrouble(why: string): void;
  /** It made one. */
  onMade(): void;
}
