import { setImmediate as turn } from "node:timers/promises";

interface Due {
  at: number;
  /** Undefined when it was called off. */
  run: (() => void) | undefined;
}

/** How many turns of the real event loop what happened at one moment is given: what it left behind goes on in the next. */
const turnsPerMoment = 2;

/** Virtual time: it stands still while anything happens, and then jumps to what is due next. */
export class Time {
  #now = 0;
  /** Ascending; of what is due at the same time, what was asked for first comes first. */
  readonly #due: Due[] = [];

  /** Milliseconds since the beginning of the world. */
  get now(): number {
    return this.#now;
  }

  /** Has `run` called in `ms`; the returned function calls it off. */
  after(ms: number, run: () => void): () => void {
    const one: Due = { at: this.#now + Math.max(0, ms), run };
    let place = this.#due.length;
    while (place > 0 && (this.#due[place - 1] as Due).at > one.at) place--; // Below the length: it is there.
    this.#due.splice(place, 0, one);
    return () => {
      one.run = undefined;
    };
  }

  /** Lets time pass until a moment, or until `isOver` says so after something happened. */
  async until(moment: number, isOver: () => boolean = () => false): Promise<void> {
    for (let next = this.#due[0]; next && next.at <= moment; next = this.#due[0]) {
      this.#due.shift();
      if (!next.run) continue;
      this.#now = next.at;
      next.run();
      for (let turns = 0; turns < turnsPerMoment; turns++) await turn();
      if (isOver()) return;
    }
    this.#now = Math.max(this.#now, moment);
  }
}
