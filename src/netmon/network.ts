import { Changes } from "../base/changes.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { runTasks } from "../base/tasks.ts";
import { nextPicture, type Picture, type Seen } from "./state.ts";

export interface NetworkOptions {
  /** Looks at the whole network. */
  look: (signal: AbortSignal) => Promise<Seen>;
  clock: Clock;
  log: Logger;
  /** How long notices are gathered before a look, in milliseconds. */
  settleMs: number;
  /** Longest time between looks, in milliseconds: nobody need have noticed. */
  lookEveryMs: number;
}

/** The network as it was seen last, kept true by looking again. */
export class Network {
  /** Told when there is another picture, and when the network can no longer be seen, or again. */
  readonly changes = new Changes();
  readonly #notices = new Changes();
  readonly #options: NetworkOptions;
  #picture: Picture;
  #isSeen = true;

  private constructor(options: NetworkOptions, picture: Picture) {
    this.#options = options;
    this.#picture = picture;
  }

  /** Looks once. @throws {Failure} as `look` does. */
  static async open(options: NetworkOptions, signal: AbortSignal): Promise<Network> {
    const seen = await options.look(signal);
    return new Network(options, nextPicture(undefined, seen, options.clock.now()));
  }

  /** The newest. */
  get picture(): Picture {
    return this.#picture;
  }

  /** Whether the last look succeeded; if not, the picture is what was seen before. */
  get isSeen(): boolean {
    return this.#isSeen;
  }

  /** The network may have changed. Costs nothing: notices that come together make one look. */
  notice(): void {
    this.#notices.notify();
  }

  /** Looks after each notice, and every now and then without one, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    return runTasks(
      signal,
      async (stop) => {
        for await (const _ of this.#notices.wakes(stop)) await this.#lookAgain(stop);
      },
      async (stop) => {
        while (!stop.aborted) {
          await this.#options.clock.sleep(this.#options.lookEveryMs, stop);
          this.notice();
        }
      },
    );
  }

  async #lookAgain(signal: AbortSignal): Promise<void> {
    const { look, clock, log, settleMs } = this.#options;
    const before = { picture: this.#picture, isSeen: this.#isSeen };
    await clock.sleep(settleMs, signal);
    try {
      this.#picture = nextPicture(before.picture, await look(signal), clock.now());
      this.#isSeen = true;
    } catch (error) {
      signal.throwIfAborted();
      this.#isSeen = false;
      if (before.isSeen) log.error({ error }, "the network cannot be seen");
    }
    if (this.#picture !== before.picture || this.#isSeen !== before.isSeen) this.changes.notify();
  }
}
