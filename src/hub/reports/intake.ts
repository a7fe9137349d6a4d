import type { Report } from "../../../gen/edge/v1/control_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Deliveries } from "../commands/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { moveCursor, throughOf } from "./cursors.ts";
import { keepEvent } from "./events.ts";

/** A report on its way to the disk. */
interface Taken {
  nodeId: string;
  journalId: string;
  sequence: number;
  entry: Report["entry"];
  /** The report before it on the same stream: this one is kept only after that one. */
  after: number;
}

/** What became of a report. */
type Kept =
  | { was: "kept"; isEvent: boolean; told: () => void }
  | { was: "stray"; told: () => void }
  | { was: "known" | "out of order" };

interface Waiting {
  one: Taken;
  resolve: () => void;
  reject: (thrown: unknown) => void;
}

export interface DeskOptions {
  store: Store;
  deliveries: Pick<Deliveries, "finished">;
  /** Events that are kept. */
  eventLimit: number;
  /** Called after a commit that had events. */
  onEvents: () => void;
  /** Called after the commit of a result of a command that this hub does not have. */
  onStray: (nodeId: string, commandId: string) => void;
}

/** Where the reports of all nodes are taken in. What comes in one turn of the event loop is one transaction. */
export class Desk {
  readonly #options: DeskOptions;
  #batch: Waiting[] | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /**
   * Takes a report; it is on disk when this resolves. One that is there already changes nothing.
   * @throws {Failure} exhausted, unavailable: the disk does not take it. conflict: the one before it was not taken. The
   * stream must then end, and the node sends both again.
   */
  take(one: Taken): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#batch) {
        this.#batch = [];
        this.#write(this.#batch);
      }
      this.#batch.push({ one, resolve, reject });
    });
  }

  #write(batch: Waiting[]): void {
    const { store, onEvents, onStray } = this.#options;
    store
      .write((tx) => {
        this.#batch = undefined;
        return batch.map(({ one }) => this.#keep(tx, one));
      })
      .then(
        (kept) => {
          for (const [at, { one, resolve, reject }] of batch.entries()) {
            const became = kept[at];
            if (became === undefined || became.was === "out of order") {
              reject(failure("conflict", `report ${one.sequence} came and the one before it is not on disk`));
              continue;
            }
            if ("told" in became) became.told();
            if (became.was === "stray" && one.entry.case === "result") {
              onStray(one.nodeId, one.entry.value.commandId);
            }
            resolve();
          }
          if (kept.some((became) => became.was === "kept" && became.isEvent)) onEvents();
        },
        (thrown: unknown) => {
          if (this.#batch === batch) this.#batch = undefined;
          for (const { reject } of batch) reject(thrown);
        },
      );
  }

  #keep(tx: Tx, { nodeId, journalId, sequence, entry, after }: Taken): Kept {
    const through = throughOf(tx, nodeId, journalId);
    if (through === undefined || through < after) return { was: "out of order" };
    if (sequence <= through) return { was: "known" };
    moveCursor(tx, nodeId, journalId, sequence);
    if (entry.case === "event") {
      keepEvent(tx, { nodeId, sequence, event: entry.value }, this.#options.eventLimit);
      return { was: "kept", isEvent: true, told: () => {} };
    }
    // An entry of a kind that this hub does not know yet counts as read.
    if (entry.case !== "result") return { was: "kept", isEvent: false, told: () => {} };
    const { isKnown, told } = this.#options.deliveries.finished(tx, nodeId, entry.value);
    return isKnown ? { was: "kept", isEvent: false, told } : { was: "stray", told };
  }
}

/** The reports of one stream, in order. */
export class Intake {
  /** Highest sequence number of this journal that is on disk. */
  readonly through: number;
  readonly #desk: Desk;
  readonly #nodeId: string;
  readonly #journalId: string;
  #last: number;

  constructor(
    desk: Desk,
    { nodeId, journalId, through }: { nodeId: string; journalId: string; through: number },
  ) {
    this.#desk = desk;
    this.#nodeId = nodeId;
    this.#journalId = journalId;
    this.through = through;
    this.#last = through;
  }

  /** Takes the next report; its sequence number may be acknowledged when this resolves. Fails as `Desk.take` does. */
  take(report: Report): Promise<void> {
    const after = this.#last;
    const sequence = Number(report.sequence);
    this.#last = Math.max(after, sequence);
    return this.#desk.take({
      nodeId: this.#nodeId,
      journalId: this.#journalId,
      sequence,
      entry: report.entry,
      after: Math.min(after, sequence),
    });
  }
}
