import type { Report } from "../../../gen/edge/v1/control_pb.ts";
import { Batches } from "../../base/batches.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Deliveries } from "../commands/index.ts";
import type { Store } from "../store/index.ts";
import { reportFacts } from "./facts.ts";
import { type Kept, keepAll, type Taken } from "./keep.ts";

export interface DeskOptions {
  store: Store;
  deliveries: Pick<Deliveries, "finished">;
  clock: Clock;
  /** How a write is tried: again and again, where the store may be away for a while. */
  persist: <T>(write: () => Promise<T>) => Promise<T>;
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
    const { store, deliveries, clock, persist, onEvents, onStray } = this.#options;
    const about = new Set(batch.map(({ nodeId }) => `node ${nodeId}`));
    const at = { deliveries, now: clock.now() };
    const kept = await persist(() => store.write((tx) => keepAll(tx, batch, at), [...about]));
    if (reportFacts.isHeard) reportFacts.tell(countsOf(kept));
    for (const [at, { nodeId, entry }] of batch.entries()) {
      const became = kept[at];
      if (became && "told" in became) became.told();
      if (became?.was === "stray" && entry.case === "result") onStray(nodeId, entry.value.commandId);
    }
    if (kept.some((became) => became.was === "kept" && became.isEvent)) onEvents();
    return kept;
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
