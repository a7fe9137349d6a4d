import { createHash } from "node:crypto";

/** Lines that are kept for a report. */
const kept = 60;

/** What happened, line by line: a hash of all of it, and the last lines. */
export class Trace {
  readonly #hash = createHash("sha256");
  readonly #last: string[] = [];
  readonly #now: () => number;
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(now: () => number, onLine?: (line: string) => void) {
    this.#now = now;
    this.#onLine = onLine;
  }

  /** Notes what somebody did, or what happened to them. */
  readonly say = (who: string, what: string): void => {
    const line = `${(this.#now() / 1000).toFixed(3).padStart(9)}  ${who.padEnd(8)} ${what}`;
    this.#hash.update(line);
    this.#last.push(line);
    if (this.#last.length > kept) this.#last.shift();
    this.#onLine?.(line);
  };

  get last(): readonly string[] {
    return this.#last;
  }

  /** Of all lines so far. */
  hash(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }
}
