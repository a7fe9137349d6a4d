/**
 * Turns to connect. Real nodes have a processor each; those of a share have one between them, and with hundreds of handshakes at
 * once none would be done in time, and all would begin anew.
 */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Calls `begin` when there is a turn; it is over when `give` is called. */
  take(begin: () => void): void {
    if (this.#free > 0) {
      this.#free--;
      begin();
    } else this.#waiting.push(begin);
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}
