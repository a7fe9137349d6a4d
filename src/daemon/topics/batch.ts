import { failure } from "../../base/failure.ts";

/** Items in one batch: enough to share a disk's sync, few enough that nobody else waits long. */
const itemsPerBatch = 1_000;
/** What may wait. A disk that cannot keep up is told to those who write. */
const waitingLimit = { items: 10_000, bytes: 32 << 20 };

/** Collects what is asked for in one turn of the event loop, to be done together in the next. */
export class Batch<T> implements Disposable {
  readonly #flush: (items: readonly T[]) => void;
  #waiting: { item: T; bytes: number }[] = [];
  #bytes = 0;
  #next: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(flush: (items: readonly T[]) => void) {
    this.#flush = flush;
  }

  /** @throws {Failure} exhausted: too much waits. unavailable: the daemon stops. */
  add(item: T, bytes: number): void {
    if (this.#closed) throw failure("unavailable", "the daemon stops: try again when it is back");
    if (this.#waiting.length >= waitingLimit.items || this.#bytes + bytes > waitingLimit.bytes) {
      throw failure("exhausted", "the node's disk cannot keep up: publish again in a moment");
    }
    this.#waiting.push({ item, bytes });
    this.#bytes += bytes;
    this.soon();
  }

  /** Does what waits in the next turn, also when that is nothing. */
  soon(): void {
    if (!this.#closed) this.#next ??= setImmediate(() => this.#run());
  }

  /** Does what waits, and takes no more. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearImmediate(this.#next);
    do this.#run();
    while (this.#waiting.length > 0);
  }

  #run(): void {
    this.#next = undefined;
    const batch = this.#waiting.splice(0, itemsPerBatch);
    if (this.#waiting.length > 0) this.soon();
    for (const { bytes } of batch) this.#bytes -= bytes;
    this.#flush(batch.map(({ item }) => item));
  }
}
