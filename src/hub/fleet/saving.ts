import { Batches } from "../../base/batches.ts";
import type { Store } from "../store/index.ts";
import { type Held, type NodeRecord, updateNodes, updateWarning } from "./records.ts";
import { nextRevision } from "./revision.ts";

/** What is to be written of a node: what its stream, here, said and how it is; or a warning, which any replica may give. */
interface Change {
  id: string;
  what: "said" | "warned";
}

export interface SavingOptions {
  store: Store;
  replicaId: string;
  recordOf: (id: string) => NodeRecord | undefined;
  /** Called after each commit. */
  onSaved: (ids: readonly string[]) => void;
}

/** Brings records from memory to the disk: all that are asked for at once, or while others are written, with one write. */
export class Saving {
  readonly #options: SavingOptions;
  readonly #batches = new Batches({
    work: (changes: readonly Change[]) => this.#write(changes),
    size: 1000,
    limit: 100_000,
    what: "nodes to be written",
  });
  /** Not written yet. */
  #asked = 0;
  /** Those of the last write, if it failed. */
  #unsaved: readonly Change[] = [];

  constructor(options: SavingOptions) {
    this.#options = options;
  }

  /**
   * Saves a record as it is when its turn comes. One that is gone by then is left out.
   * @throws {Failure} exhausted, unavailable: it is tried again with the next, and by `retry`.
   */
  async save(id: string, what: Change["what"]): Promise<void> {
    this.#asked++;
    await this.#batches.add({ id, what }).finally(() => this.#asked--);
  }

  /** Resolves when all that was asked for is written. Rejects when the last write fails. */
  async flush(): Promise<void> {
    if (this.#asked > 0) await this.#batches.add({ id: "", what: "said" });
  }

  /** Tries again what failed. @throws {Failure} as `save`. */
  async retry(): Promise<void> {
    const [first] = this.#unsaved;
    if (first) await this.#batches.add(first);
  }

  async #write(asked: readonly Change[]): Promise<readonly Change[]> {
    const { store, recordOf, replicaId, onSaved } = this.#options;
    const all = [...this.#unsaved, ...asked];
    this.#unsaved = [...new Map(all.map((one) => [`${one.what} ${one.id}`, one])).values()];
    const changes = this.#unsaved;
    const { revision, held } = await store.write(async (tx) => {
      const revision = await nextRevision(tx);
      const held: Held[] = [];
      for (const { id, what } of changes) {
        const record = recordOf(id);
        if (!record) continue;
        if (what === "warned") await updateWarning(tx, record, revision);
        else held.push({ record, heldBy: record.isHeld ? replicaId : "" });
      }
      return { revision, held: await updateNodes(tx, held, { replicaId, revision }) };
    }, []);
    this.#unsaved = [];
    for (const { record, heldBy } of held) Object.assign(record, { owner: heldBy, revision });
    onSaved(changes.map(({ id }) => id));
    return asked;
  }
}
