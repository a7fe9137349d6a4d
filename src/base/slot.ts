/**
 * A place for one value: the newest wins. For levels (what is), where only the present matters. Facts go to the journal.
 * `take` waits for a value that this reader has not had; one reader per slot.
 */
export class Slot<T> {
  #value: { it: T } | undefined;
  #wake: (() => void) | undefined;

  put(value: T): void {
    this.#value = { it: value };
    this.#wake?.();
  }

  /** The newest value put since the last take. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#value) {
        const { it } = this.#value;
        this.#value = undefined;
        return it;
      }
      await new Promise<void>((resolve) => {
        const done = () => {
          signal.removeEventListener("abort", done);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = done;
        signal.addEventListener("abort", done, { once: true });
      });
    }
  }
}
