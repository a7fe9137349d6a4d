import type { Report } from "../../../gen/edge/v1/control_pb.ts";
import { Batches } from "../../base/batches.ts";
import { failure } from "../../base/failure.ts";
import type { Deliveries } from "../commands/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { moveCursor, throughOf } from "./cursors.ts";
import { keepEvent } from "./events.ts";
import { reportFacts } from "./facts.ts";

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

/** Where the reports of all nodes are taken in. What comes at once is one transaction. */
export class Desk {
  readonly #options: DeskOptions;
  readonly #batches = new Batches({
    work: (batch: readonly Taken[]) => this.#write(batch),
    size: 200,
    limit: 20_000,
    what: "reports of nodes",
  });

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /**
   * Takes a report; it is on disk when this resolves. One that is there already changes nothing.
   * @throws {Failure} exhausted, unavailable: the disk does not take it. conflict: the one before it was not taken. The
   * stream must then end, and the node sends both again.
   */
  async take(one: Taken): Promise<void> {
    const { was } = await this.#batches.add(one);
    if (was !== "out of order") return;
    throw failure("conflict", `report ${one.sequence} came and the one before it is not on disk`);
  }

  async #write(batch: readonly Taken[]): Promise<Kept[]> {
    const { store, onEvents, onStray } = this.#options;
    const about = new Set(batch.map(({ nodeId }) => `node ${nodeId}`));
    const kept = await store.write(
      async (tx) => {
        const kept: Kept[] = [];
        for (const one of batch) kept.push(await this.#keep(tx, one));
        return kept;
      },
      [...about],
    );
    if (reportFacts.isHeard) reportFacts.tell(countsOf(kept));
    for (const [at, { nodeId, entry }] of batch.entries()) {
      const became = kept[at];
      if (became && "told" in became) became.told();
      if (became?.was === "stray" && entry.case === "result") onStray(nodeId, entry.value.commandId);
    }
    if (kept.some((became) => became.was === "kept" && became.isEvent)) onEvents();
    return kept;
  }

  async #keep(tx: Tx, { nodeId, journalId, sequence, entry, after }: Taken): Promise<Kept> {
    const through = await throughOf(tx, nodeId, journalId);
    if (through === undefined || through < after) return { was: "out of order" };
    if (sequence <= through) return { was: "known" };
    await moveCursor(tx, nodeId, journalId, sequence);
    if (entry.case === "event") {
      await keepEvent(tx, { nodeId, sequence, event: entry.value }, this.#options.eventLimit);
      return { was: "kept", isEvent: true, told: () => {} };
    }
    // An entry of a kind that this hub does not know yet counts as read.
    if (entry.case !== "result") return { was: "kept", isEvent: false, told: () => {} };
    const { isKnown, told } = await this.#options.deliveries.finished(tx, nodeId, entry.value);
    return isKnown ? { was: "kept", isEvent: false, told } : { was: "stray", told };
  }
}

function countsOf(kept: readonly Kept[]): { events: number; results: number } {
  const events = kept.filter((became) => became.was === "kept" && became.isEvent).length;
  return { events, results: kept.filter(({ was }) => was === "kept").length - events };
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
