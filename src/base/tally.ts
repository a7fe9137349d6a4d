import type { Clock } from "./clock.ts";

/**
 * Tells seldom of what happens often: the first of something at once, and then, as long as it goes on, once in each `periodMs`
 * how often it happened since. What stopped is told to its end.
 */
export class Tally<T> implements Disposable {
  readonly #options: { clock: Clock; periodMs: number; tell: (what: T, count: number) => void };
  readonly #counts = new Map<string, { what: T; count: number }>();
  readonly #closed = new AbortController();

  constructor(options: { clock: Clock; periodMs: number; tell: (what: T, count: number) => void }) {
    this.#options = options;
  }

  /** Counts what has this key. */
  note(key: string, what: T, count = 1): void {
    if (this.#closed.signal.aborted) return;
    const known = this.#counts.get(key);
    if (known) {
      known.count += count;
      return;
    }
    this.#counts.set(key, { what, count: 0 });
    this.#options.tell(what, count);
    this.#follow(key).catch(() => {}); // Only the closing ends the sleep, and that told everything.
  }

  /** Tells what was not told yet, and counts no more. */
  [Symbol.dispose](): void {
    this.#closed.abort();
    for (const { what, count } of this.#counts.values()) if (count > 0) this.#options.tell(what, count);
    this.#counts.clear();
  }

  async #follow(key: string): Promise<void> {
    const { clock, periodMs, tell } = this.#options;
    for (;;) {
      await clock.sleep(periodMs, this.#closed.signal);
      const known = this.#counts.get(key);
      if (!known || known.count === 0) break;
      const { what, count } = known;
      known.count = 0;
      tell(what, count);
    }
    this.#counts.delete(key);
  }
}
