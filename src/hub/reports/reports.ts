import type { WatchEventsResponse } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Commands } from "../commands/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Store } from "../store/index.ts";

export interface ReportsOptions {
  store: Store;
  fleet: Fleet;
  commands: Commands;
  clock: Clock;
  log: Logger;
}

/** Which events to watch, as in WatchEventsRequest. */
export interface WatchEvents {
  /** Only those of this node. */
  nodeId?: string;
  /** Begin after this position; absent or 0: with what comes from now on. */
  afterPosition?: bigint;
  /** Begin with the newest this many that are kept; ignored when `afterPosition` is set. */
  last?: number;
  /** End when all that is kept has been given. */
  stopWhenCaughtUp: boolean;
}

/** Takes reports of all nodes and shows their events. */
export class Reports {
  /** The reports as the store has them. */
  static async open(options: ReportsOptions): Promise<Reports> {
    throw new Error(`not yet ${options.clock.now()}`);
  }

  /**
   * Events in the order of their positions, which ascend over all nodes. A watcher that is slower than the limit of what is
   * kept goes on with the oldest that is left. Ends when the signal is aborted.
   */
  async *watch(which: WatchEvents, signal: AbortSignal): AsyncGenerator<WatchEventsResponse> {
    throw new Error(`not yet ${which.nodeId} ${signal.aborted}`);
  }
}
