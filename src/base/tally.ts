import type { Clock } from "./clock.ts";

export interface TallyOptions<T> {
  clock: Clock;
  periodMs: number;
  /** What it throws, as on a full disk, is nobody's failure: the count stays, and is told a period later. */
  tell: (what: T, count: number) => void;
}

/**
 * Tells seldom of what happens often: the first of something at once, and then, as long as it goes on, once in each `periodMs`
 * how often it happened since. What stopped is told to its end.
 */
export class Tally<T> implements Disposable {
  readonly #options: TallyOptions<T>;
  readonly #counts = new Map<string, { what: T; count: number }>();
  readonly #closed = new AbortController();

  constructor(options: TallyOptions<T>) {
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
    this.#counts.set(key, { what, count });
    this.#tell(key);
    this.#follow(key).catch(() => {}); // Only the closing ends the sleep, and that told everything.
  }

  /** Tells what was not told yet, and counts no more. */
  [Symbol.dispose](): void {
    this.#closed.abort();
    for (const key of this.#counts.keys()) this.#tell(key);
    this.#counts.clear();
  }

  #tell(key: string): void {
    const known = this.#counts.get(key);
    if (!known || known.count === 0) return;
    try {
      this.#options.tell(known.what, known.count);
      known.count = 0;
    } catch {
      // As it says above.
    }
  }

  async #follow(key: string): Promise<void> {
    const { clock, periodMs } = this.#options;
    for (;;) {
      await clock.sleep(periodMs, this.#closed.signal);
      if (!this.#counts.get(key)?.count) break;
      this.#tell(key);
    }
    this.#counts.delete(key);
  }
}
