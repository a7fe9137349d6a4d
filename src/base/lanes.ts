import { failure } from "./failure.ts";

/**
 * One lane per key: what has the same key runs in order, one at a time; different keys run side by side. A lane holds at
 * most `limit` waiting pieces of work; one more is refused with `exhausted`, so that a flood is told instead of kept.
 */
export class Lanes {
  readonly #limit: number;
  readonly #lanes = new Map<string, { tail: Promise<unknown>; waiting: number }>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Runs `work` after all that came before it under the same key. Its outcome is the outcome of this call. Work that only waits
   * from some moment on may leave the lane then, so that the next one begins.
   */
  run<T>(key: string, work: (leave: () => void) => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(key) ?? { tail: Promise.resolve(), waiting: 0 };
    if (lane.waiting >= this.#limit) {
      return Promise.reject(
        failure("exhausted", `${this.#limit} commands already wait for ${key}: try again when some are done`),
      );
    }
    this.#lanes.set(key, lane);
    lane.waiting++;
    const left = Promise.withResolvers<void>();
    const outcome = lane.tail.then(() => work(left.resolve));
    lane.tail = Promise.race([left.promise, outcome])
      .catch(() => {})
      .then(() => {
        lane.waiting--;
        if (lane.waiting === 0) this.#lanes.delete(key);
      });
    return outcome;
  }

  /** Resolves when everything that was in the lanes at this moment has ended, or left them. */
  async idle(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.tail));
  }
}
