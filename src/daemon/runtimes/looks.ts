import { backoffMs } from "../../base/backoff.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { runTasks } from "../../base/tasks.ts";

/** Between two looks at everything, whatever was heard, in milliseconds: events can be lost. */
const safetyMs = 30_000;
/** Between two looks: one start makes five events. */
const coalesceMs = 100;
/** Between two looks at an engine that is away. */
const awayMs = { firstMs: 500, lastMs: 5_000 };

export interface LooksOptions {
  clock: Clock;
  /** Uniform in [0, 1), for pauses. */
  random: () => number;
  /** Looks at these runtimes, or at everything, and says whether the engine was there. */
  look: (names: ReadonlySet<string> | undefined, signal: AbortSignal) => Promise<boolean>;
}

/**
 * When to look at what: at everything at the start, when the engine was away, and every 30 s; else at the runtimes of which was
 * heard, so that one that crashes among a hundred costs one look at one.
 */
export class Looks {
  readonly #options: LooksOptions;
  readonly #changes = new Changes();
  /** What has to be looked at; undefined: everything. */
  #names: Set<string> | undefined;

  constructor(options: LooksOptions) {
    this.#options = options;
  }

  /** Asks for a look at a runtime; without a name, at everything. Asked twice before a look, it is looked at once. */
  add(runtime?: string): void {
    if (runtime === undefined) this.#names = undefined;
    else this.#names?.add(runtime);
    this.#changes.notify();
  }

  /** Looks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await runTasks(signal, this.#look.bind(this), this.#remind.bind(this));
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, random, look } = this.#options;
    let failures = 0;
    for await (const _ of this.#changes.wakes(signal)) {
      const names = this.#names;
      this.#names = new Set();
      if (names?.size === 0) continue;
      const isThere = await look(names, signal);
      failures = isThere ? 0 : failures + 1;
      await clock.sleep(isThere ? coalesceMs : backoffMs(failures, { ...awayMs, random }), signal);
      if (!isThere) this.add();
    }
  }

  async #remind(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(safetyMs, signal);
      this.add();
    }
  }
}
