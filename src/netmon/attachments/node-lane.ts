import { isDeepStrictEqual } from "node:util";
import { asFailure } from "../../base/failure.ts";
import { asksNode, keepNode, type NodeWish, nodeWish } from "./node.ts";
import { fail } from "./problem.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** After a failure it is tried again so late, in milliseconds; a change of any wish or parent tries it at once. */
const retryMs = 30_000;

/** Makes the node itself as its vNICs together ask, one time after the other. */
export class NodeLane {
  readonly #all: ReadonlyMap<string, Tended>;
  readonly #tools: Tools;
  readonly #signal: AbortSignal;
  #made: NodeWish | undefined;
  #running: Promise<void> | undefined;

  constructor(all: ReadonlyMap<string, Tended>, tools: Tools, signal: AbortSignal) {
    this.#all = all;
    this.#tools = tools;
    this.#signal = signal;
  }

  /** Sees to it when what is asked is different. Not before each owner was looked at: what one has may not be undone. */
  tend(): void {
    const isReady = [...this.#all.values()].every(({ answered }) => answered > 0);
    if (this.#running || !isReady || this.#signal.aborted || isDeepStrictEqual(this.#wanted(), this.#made))
      return;
    this.#running = this.#make().finally(() => {
      this.#running = undefined;
      this.tend(); // What was asked meanwhile.
    });
  }

  /** Resolves when nothing is being made any more. */
  async ended(): Promise<void> {
    while (this.#running) await this.#running;
  }

  #wanted(): NodeWish {
    return nodeWish([...this.#all.values()], this.#tools.picture());
  }

  async #make(): Promise<void> {
    const wish = this.#wanted();
    this.#made = wish;
    try {
      await keepNode(wish, this.#signal);
    } catch (error) {
      if (!this.#signal.aborted) this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const { log, clock, picture } = this.#tools;
    log.warn({ error }, "the node could not be made as its vNICs ask");
    for (const tended of this.#all.values()) {
      for (const wish of tended.attachment.vnics) {
        const vnic = tended.vnics.get(wish.name);
        if (!vnic || !asksNode(wish, picture())) continue;
        fail(vnic, { reason: asFailure(error).message }, this.#tools);
        this.#tools.wake(tended);
      }
    }
    const again = () => {
      this.#made = undefined;
      this.tend();
    };
    clock.sleep(retryMs, this.#signal).then(again, () => {}); // Netmon ends.
  }
}
