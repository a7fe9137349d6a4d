import { Life, Over } from "./life.ts";
import type { Time } from "./time.ts";

export interface KeeperOptions<Running> {
  name: string;
  time: Time;
  start: (life: Life) => Running | Promise<Running>;
  /** The life is over; `isTold` when the system of the machine lives on and closes what was open. */
  onEnd: (life: Life, isTold: boolean) => void;
  trace: (who: string, what: string) => void;
}

/** How long a program that could not start stays away, in milliseconds. */
const againMs = 1_000;

/** Keeps a program running, as systemd does, and ends it in every way in which programs end. */
export class Keeper<Running extends { stop(): Promise<void> }> {
  readonly #options: KeeperOptions<Running>;
  #life: Life | undefined;
  #running: Running | undefined;
  /** Whether it is to be started no more. */
  #isRetired = false;

  constructor(options: KeeperOptions<Running>) {
    this.#options = options;
  }

  /** The program, when it is up. */
  get running(): Running | undefined {
    return this.#running;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  start(): void {
    if (this.#isRetired || this.#life) return;
    const { name, time, trace } = this.#options;
    const life = new Life(time);
    this.#life = life;
    trace(name, "starts");
    this.#begin(life).catch((thrown: unknown) => {
      if (life.isOver) return;
      trace(name, `cannot start: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      this.kill({ isTold: true, awayMs: againMs });
      if (!(thrown instanceof Error) || thrown.name !== "Failure") throw thrown;
    });
  }

  /** Ends the program where it is, and starts it again later. */
  kill({ isTold, awayMs }: { isTold: boolean; awayMs: number }): void {
    const life = this.#life;
    if (!life) return;
    const { name, time, trace, onEnd } = this.#options;
    trace(name, isTold ? "is killed" : "loses its power");
    this.#life = undefined;
    this.#running = undefined;
    life.end();
    onEnd(life, isTold);
    time.after(awayMs, () => this.start());
  }

  /** Ends the program in good order, and starts it again later. */
  async restart(awayMs: number): Promise<void> {
    const { life, running } = { life: this.#life, running: this.#running };
    if (!life || !running || life.standsStill) return;
    this.#options.trace(this.#options.name, "is told to stop");
    this.#running = undefined;
    await running.stop().catch((thrown: unknown) => {
      if (!(thrown instanceof Over)) throw thrown;
    });
    if (this.#life === life) this.kill({ isTold: true, awayMs });
  }

  /** Ends the program for good. */
  retire(): void {
    this.#isRetired = true;
    this.kill({ isTold: true, awayMs: 0 });
  }

  async #begin(life: Life): Promise<void> {
    const running = await this.#options.start(life);
    if (this.#life === life) this.#running = running;
  }
}
