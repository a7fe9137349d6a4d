/**
 * Many listeners, told that something changed, never what: each looks again for itself. A listener that is told twice
 * before it looked is told once.
 */
export class Changes {
  readonly #listeners = new Set<() => void>();

  /** Tells every listener. */
  notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` at each change until the returned function is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Yields at once, then after each change, coalesced; ends when the signal is aborted. */
  async *wakes(signal: AbortSignal): AsyncGenerator<void> {
    let dirty = true;
    let wake = () => {};
    const stop = this.listen(() => {
      dirty = true;
      wake();
    });
    const onAbort = () => wake();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!signal.aborted) {
        if (dirty) {
          dirty = false;
          yield;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stop();
      signal.removeEventListener("abort", onAbort);
    }
  }
}
