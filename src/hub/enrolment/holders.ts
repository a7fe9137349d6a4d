import type { Store, Tx } from "../store/index.ts";

/**
 * Which nodes have gone over to the new root, while there are two. Written once for each node in that time, and never else: with one
 * root, nobody asks.
 */
export class Holders {
  readonly #store: Store;
  readonly #noted = new Set<string>();
  #newest = "";
  #isNeeded = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The root that is the newest now, and whether there is another beside it. */
  follow(newest: string, isNeeded: boolean): void {
    this.#newest = newest;
    this.#isNeeded = isNeeded;
    this.#noted.clear();
  }

  /** A node uses a certificate of this root. @throws {Failure} as writes of the store do. */
  async note(nodeId: string, rootId: string): Promise<void> {
    if (!this.#isNeeded || rootId !== this.#newest || this.#noted.has(nodeId)) return;
    await this.#store.write(async (tx) => {
      await tx.run(
        "INSERT INTO root_holders (node_id, root_id) VALUES ($1, $2) ON CONFLICT (node_id) DO UPDATE SET root_id = excluded.root_id",
        nodeId,
        rootId,
      );
    }, []);
    this.#noted.add(nodeId);
  }

  /** Of these nodes, how many have a certificate of the newest root. */
  async count(nodes: readonly string[]): Promise<number> {
    if (!this.#isNeeded) return nodes.length;
    const rows = await this.#store.read("SELECT node_id FROM root_holders WHERE root_id = $1", this.#newest);
    const there = new Set(rows.map((row) => row.node_id));
    return nodes.filter((id) => there.has(id)).length;
  }

  /** Those of these nodes that have not gone over. */
  async without(tx: Tx, nodes: readonly string[]): Promise<string[]> {
    const rows = await tx.all("SELECT node_id FROM root_holders WHERE root_id = $1", this.#newest);
    const there = new Set(rows.map((row) => row.node_id));
    return nodes.filter((id) => !there.has(id));
  }

  /** One root is left: all who are left have it. */
  async clear(tx: Tx): Promise<void> {
    await tx.run("DELETE FROM root_holders");
  }
}
