import { Batches } from "../../base/batches.ts";
import type { Store } from "../store/index.ts";
import { type NodeRecord, updateNode } from "./records.ts";

/** Brings records from memory to the disk: all that are asked for at once, or while others are written, with one write. */
export class Saving {
  readonly #store: Store;
  readonly #recordOf: (id: string) => NodeRecord | undefined;
  readonly #batches = new Batches({
    work: (ids: readonly string[]) => this.#write(ids),
    size: 1000,
    limit: 100_000,
    what: "nodes to be written",
  });
  /** Those of the last write, if it failed. */
  #unsaved: ReadonlySet<string> = new Set();

  constructor(store: Store, recordOf: (id: string) => NodeRecord | undefined) {
    this.#store = store;
    this.#recordOf = recordOf;
  }

  /**
   * Saves a record as it is when its turn comes. One that is gone by then is left out.
   * @throws {Failure} exhausted, unavailable: it is tried again with the next.
   */
  async save(id: string): Promise<void> {
    await this.#batches.add(id);
  }

  async #write(asked: readonly string[]): Promise<readonly string[]> {
    const ids = new Set([...this.#unsaved, ...asked]);
    this.#unsaved = ids;
    await this.#store.write(async (tx) => {
      for (const id of ids) {
        const record = this.#recordOf(id);
        if (record) await updateNode(tx, record);
      }
    }, []);
    this.#unsaved = new Set();
    return asked;
  }
}
