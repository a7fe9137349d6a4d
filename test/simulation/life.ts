import type { Clock } from "../../src/base/clock.ts";
import type { Time } from "./time.ts";

/** What a program meets that touches the world after its end. Nobody hears of it: the program is no more. */
export class Over extends Error {}

/** The wall clock of a machine, which may be set. */
export interface WallClock {
  /** Milliseconds since 1970 at the beginning of the world. */
  atBeginning: number;
}

/**
 * One life of a program, from its start to its end. What it waits for comes through here, so that nothing reaches it while it
 * stands still (SIGSTOP), and nothing any more when it has ended: its promises are then forgotten where they are.
 */
export class Life {
  readonly #time: Time;
  readonly #endings: (() => void)[] = [];
  readonly #begunAt: number;
  #isOver = false;
  #ambush: { left: number; spring: () => void } | undefined;
  /** What came while it stood still. */
  #held: (() => void)[] | undefined;

  constructor(time: Time) {
    this.#time = time;
    this.#begunAt = time.now;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get standsStill(): boolean {
    return this.#held !== undefined;
  }

  /** Calls `run` in `ms` if the program lives then. The returned function calls it off. */
  after(ms: number, run: () => void): () => void {
    let isCalledOff = false;
    const reach = () => {
      if (this.#isOver || isCalledOff) return;
      if (this.#held) this.#held.push(reach);
      else {
        if (this.#ambush && --this.#ambush.left === 0) this.#ambush.spring();
        run();
      }
    };
    const callOff = this.#time.after(ms, reach);
    return () => {
      isCalledOff = true;
      callOff();
    };
  }

  /** Has `what` called at the end of the program. */
  atEnd(what: () => void): void {
    this.#endings.push(what);
  }

  /** Has `spring` called right before it gets the news that comes after `left` others. */
  onEvent(left: number, spring: () => void): void {
    this.#ambush = { left, spring };
  }

  /** The program is no more, whatever it was about to do. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const ending of this.#endings) ending();
  }

  /** It gets no time and no news. */
  standStill(): void {
    this.#held ??= [];
  }

  goOn(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const reach of held) this.#time.after(0, reach);
  }

  /** Time as this program sees it. */
  clock(wall: WallClock): Clock {
    return {
      now: () => Math.floor(wall.atBeginning + this.#time.now),
      elapsed: () => this.#time.now - this.#begunAt,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) {
            reject(signal.reason);
            return;
          }
          const leave = () => {
            callOff();
            reject(signal?.reason);
          };
          const callOff = this.after(ms, () => {
            signal?.removeEventListener("abort", leave);
            resolve();
          });
          signal?.addEventListener("abort", leave, { once: true });
        }),
    };
  }
}
