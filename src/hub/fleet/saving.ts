import type { Store } from "../store/index.ts";
import { type NodeRecord, updateNode } from "./records.ts";

/** Brings records from memory to the disk: all that are asked for in one turn with one write, each once. */
export class Saving {
  readonly #store: Store;
  readonly #recordOf: (id: string) => NodeRecord | undefined;
  #unsaved = new Set<string>();
  #writing: Promise<void> | undefined;

  constructor(store: Store, recordOf: (id: string) => NodeRecord | undefined) {
    this.#store = store;
    this.#recordOf = recordOf;
  }

  /**
   * Saves a record as it is when its turn comes. One that is gone by then is left out.
   * @throws {Failure} exhausted, unavailable: it is tried again with the next.
   */
  save(id: string): Promise<void> {
    this.#unsaved.add(id);
    this.#writing ??= this.#write();
    return this.#writing;
  }

  async #write(): Promise<void> {
    let batch = new Set<string>();
    try {
      await this.#store.write((tx) => {
        batch = this.#unsaved;
        this.#unsaved = new Set();
        this.#writing = undefined;
        for (const id of batch) {
          const record = this.#recordOf(id);
          if (record) updateNode(tx, record);
        }
      });
    } catch (thrown) {
      // With a batch, the work ran, and a next write may have begun since.
      if (batch.size === 0) this.#writing = undefined;
      for (const id of batch) this.#unsaved.add(id);
      throw thrown;
    }
  }
}
