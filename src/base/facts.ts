/**
 * What happens, told as it happens to whoever counts it. Such a place belongs to the whole program, as its memory does: a room
 * tells, and knows nobody who listens. While nobody does, telling costs one comparison.
 */
export class Facts<T> {
  readonly #listeners = new Set<(fact: T) => void>();

  /** Whether anybody listens: what is dear to find out need not be found out for nobody. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  tell(fact: T): void {
    for (const listener of this.#listeners) listener(fact);
  }

  /** Calls `listener`, which must not throw, at each fact until what it returns is called. */
  hear(listener: (fact: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
