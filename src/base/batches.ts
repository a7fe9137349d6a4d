import { setImmediate as nextTurn } from "node:timers/promises";
import { failure } from "./failure.ts";

export interface BatchesOptions<In, Out> {
  /** Does a batch, and gives an outcome for each of it, in order. If it throws, all of the batch are told. */
  work: (batch: readonly In[]) => Promise<readonly Out[]>;
  /** The most that one batch holds. */
  size: number;
  /** The most that wait; one more is refused with `exhausted`. */
  limit: number;
  /** What waits, for the sentence of that refusal: as `reports`. */
  what: string;
}

interface Waiting<In, Out> {
  one: In;
  resolve: (outcome: Out) => void;
  reject: (thrown: unknown) => void;
}

/**
 * Does what comes by the batch, in order and one batch at a time: what comes within one turn of the event loop, or while a batch
 * is under way, is done together.
 */
export class Batches<In, Out> {
  readonly #options: BatchesOptions<In, Out>;
  readonly #waiting: Waiting<In, Out>[] = [];
  /** Under way while anything waits; never fails. */
  #working: Promise<void> | undefined;

  constructor(options: BatchesOptions<In, Out>) {
    this.#options = options;
  }

  /** Resolves with its outcome when its batch is done. */
  add(one: In): Promise<Out> {
    const { limit, what } = this.#options;
    if (this.#waiting.length >= limit) {
      return Promise.reject(failure("exhausted", `${limit} ${what} already wait: try again in a moment`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ one, resolve, reject });
      this.#working ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    do {
      await nextTurn();
      const batch = this.#waiting.splice(0, this.#options.size);
      try {
        const outcomes = await this.#options.work(batch.map(({ one }) => one));
        for (const [at, { resolve }] of batch.entries()) resolve(outcomes[at] as Out); // One for each, in order.
      } catch (thrown) {
        for (const { reject } of batch) reject(thrown);
      }
    } while (this.#waiting.length > 0);
    this.#working = undefined;
  }
}
