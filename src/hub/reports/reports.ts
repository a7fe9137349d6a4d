import type { WatchEventsResponse } from "../../../gen/edge/v1/fleet_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Commands } from "../commands/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Store } from "../store/index.ts";
import { type JournalClaim, openCursor } from "./cursors.ts";
import { eventsAfter, lastPosition, positionBefore } from "./events.ts";
import { defaultKeeping, forgetEvents, type Keeping } from "./forget.ts";
import { Desk, Intake } from "./intake.ts";
import { patient } from "./patience.ts";

export interface ReportsOptions {
  store: Store;
  fleet: Fleet;
  commands: Commands;
  /** The other replicas of this hub, if there are any. */
  replicas?: Replicas | undefined;
  clock: Clock;
  log: Logger;
  /** What is kept of what came. */
  keeping?: Keeping;
}

/** Which events to watch, as in WatchEventsRequest. */
export interface WatchEvents {
  /** Only those of this node; absent or empty: of all. */
  nodeId?: string;
  /** Only those of nodes that the watcher may see; absent: of all. */
  maySee?: (nodeId: string) => boolean;
  /** Begin after this position; absent or 0: with what comes from now on. */
  afterPosition?: bigint;
  /** Begin with the newest this many that are kept; ignored when `afterPosition` is set. */
  last?: number;
  /** End when all that is kept has been given. */
  stopWhenCaughtUp: boolean;
}

/** How often the hub looks for events that can be forgotten, in milliseconds. */
const forgetEveryMs = 60_000;

/** Events that a watcher holds in memory at once. */
const pageSize = 256;

/** Takes reports of all nodes and shows their events. */
export class Reports implements Disposable {
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #desk: Desk;
  readonly #keeping: Keeping;
  readonly #arrived = new Changes();
  readonly #closing = new AbortController();
  /** The newest position at the last look. */
  #lastSeen = 0;

  private constructor({
    store,
    fleet,
    commands,
    replicas,
    clock,
    log,
    keeping = defaultKeeping,
  }: ReportsOptions) {
    this.#store = store;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#log = log;
    this.#keeping = keeping;
    this.#desk = new Desk({
      store,
      deliveries: commands.deliveries,
      clock,
      // What the disk of this machine does not take, it may not take for long: then nodes keep it, and are told so.
      persist: replicas && !replicas.isAlone ? patient(clock, this.#closing.signal) : (write) => write(),
      onEvents: () => {
        this.#arrived.notify();
        replicas?.tell("events", ["some"]);
      },
      onStray: (nodeId, commandId) => this.#stray(nodeId, commandId),
    });
    replicas?.hear("events", () => this.#arrived.notify());
    replicas?.onLook(() => this.#look());
    fleet.witnessRemovals({
      drop: async (tx, nodeId) => {
        await tx.run("DELETE FROM report_cursors WHERE node_id = $1", nodeId);
        return () => {};
      },
    });
  }

  /** The reports as the store has them. */
  static async open(options: ReportsOptions): Promise<Reports> {
    return new Reports(options);
  }

  /** Forgets old events now and then, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(forgetEveryMs, signal).catch(() => {});
      if (signal.aborted) return;
      await this.forget(signal).catch((error: unknown) => {
        if (!signal.aborted)
          this.#log.error({ error }, "old events could not be forgotten; it is tried again");
      });
    }
  }

  /** Forgets the events that are too old, or too many. */
  async forget(signal: AbortSignal): Promise<void> {
    await forgetEvents(this.#store, this.#keeping, this.#clock.now(), signal);
  }

  /** Waits for no store any longer. */
  [Symbol.dispose](): void {
    this.#closing.abort();
  }

  /** Begins to take the reports of a stream, where the journal was left. */
  async intake(claim: JournalClaim): Promise<Intake> {
    const { nodeId, journalId } = claim;
    const { through, lost } = await this.#store.write(
      (tx) => openCursor(tx, claim, this.#clock.now()),
      [`node ${nodeId}`],
    );
    if (lost > 0) {
      this.#fleet.warn(
        nodeId,
        `the node's journal began anew: ${lost} entries of the one before never came and are lost`,
      );
    }
    return new Intake(this.#desk, { nodeId, journalId, through });
  }

  /**
   * Events in the order of their positions, which ascend over all nodes. A watcher that is slower than the limit of what is
   * kept goes on with the oldest that is left. Ends when the signal is aborted.
   */
  async *watch(which: WatchEvents, signal: AbortSignal): AsyncGenerator<WatchEventsResponse> {
    const { nodeId = "", maySee = () => true } = which;
    let at = await this.#begin(nodeId, which);
    for await (const _ of this.#arrived.wakes(signal)) {
      for (let page = pageSize; page === pageSize; ) {
        const events = await eventsAfter(this.#store, nodeId, at, pageSize);
        page = events.length;
        for (const event of events) {
          if (signal.aborted) return;
          at = Number(event.position);
          if (maySee(event.nodeId)) yield event;
        }
      }
      if (which.stopWhenCaughtUp) return;
    }
  }

  /** Finds events that another replica kept, when its hint was lost. */
  async #look(): Promise<void> {
    const last = await lastPosition(this.#store);
    if (last !== this.#lastSeen) this.#arrived.notify();
    this.#lastSeen = last;
  }

  async #begin(nodeId: string, { afterPosition, last, maySee }: WatchEvents): Promise<number> {
    if (!afterPosition && last) return await positionBefore(this.#store, { nodeId, maySee }, last);
    const newest = await lastPosition(this.#store);
    // A position from before this hub was put back from a copy is beyond all that it has: it would wait for ever.
    return afterPosition ? Math.min(Number(afterPosition), newest) : newest;
  }

  #stray(node: string, command: string): void {
    this.#log.warn({ node, command }, "result of a command that this hub does not have");
    this.#fleet.warn(node, `the node answered the command ${command}, which this hub does not have`);
  }
}
