/** Runs work that shares a name one after another, in the order of the calls, and other work side by side. */
export class Turns {
  /** Settled at the end of the newest work of a name. */
  readonly #last = new Map<string, Promise<void>>();

  async run<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = names.flatMap((name) => this.#last.get(name) ?? []);
    const end = Promise.withResolvers<void>();
    for (const name of names) this.#last.set(name, end.promise);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      end.resolve();
      for (const name of names) if (this.#last.get(name) === end.promise) this.#last.delete(name);
    }
  }
}
