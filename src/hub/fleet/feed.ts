import { Changes } from "../../base/changes.ts";

/**
 * Tells watchers which nodes changed. A watcher holds a set of ids, not a queue of pictures: one that is slow finds each
 * node once, as it is when it looks, and costs at most one id per node.
 */
export class Feed {
  readonly #watches = new Set<Watch>();

  /** Begins a watch: every change from now on is in it. Ends when it is disposed. */
  watch(): Watch {
    const watch = new Watch(() => this.#watches.delete(watch));
    this.#watches.add(watch);
    return watch;
  }

  /** Notes a change for every watcher. Costs nothing while nobody watches. */
  touch(id: string): void {
    for (const watch of this.#watches) watch.touch(id);
  }
}

/** One watcher's set of changed ids. */
export class Watch implements Disposable {
  readonly #close: () => void;
  readonly #changes = new Changes();
  #dirty = new Set<string>();

  constructor(close: () => void) {
    this.#close = close;
  }

  /** Notes a change. */
  touch(id: string): void {
    this.#dirty.add(id);
    this.#changes.notify();
  }

  /** The ids that changed since the last take, in the order of their first change; waits until there is one. */
  async take(signal: AbortSignal): Promise<ReadonlySet<string>> {
    for await (const _ of this.#changes.wakes(signal)) {
      if (this.#dirty.size === 0) continue;
      const taken = this.#dirty;
      this.#dirty = new Set();
      return taken;
    }
    throw signal.reason;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
