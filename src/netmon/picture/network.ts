import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { runTasks } from "../../base/tasks.ts";
import { allSettled, nextDueAt, type Settled, settle } from "./settle.ts";
import { nextPicture, type Picture, type Seen } from "./state.ts";

export interface NetworkOptions {
  /** Looks at the whole network. */
  look: (signal: AbortSignal) => Promise<Seen>;
  clock: Clock;
  log: Logger;
  /** How long an interface must have been the same before it is told, in milliseconds. */
  settleMs: number;
  /** Longest time between looks, in milliseconds: nobody need have noticed. */
  lookEveryMs: number;
}

/** One cable makes a dozen notices; most of them come within this time, in milliseconds. */
const gatherMs = 3;
/** Between two looks, in milliseconds: a storm of notices costs a look now and then, and not the whole CPU. */
const pauseMs = 50;

/** The network as it may be told, kept true by looking again. */
export class Network {
  /** Told when there is another picture, and when the network can no longer be seen, or again. */
  readonly changes = new Changes();
  /** Names this run: its generations mean nothing in another. */
  readonly runId = newId("run");
  readonly #notices = new Changes();
  readonly #options: NetworkOptions;
  #noticedAt: number | undefined;
  #settled: Settled;
  #picture: Picture;
  #isSeen = true;

  private constructor(options: NetworkOptions, seen: Seen) {
    this.#options = options;
    this.#settled = allSettled(seen);
    this.#picture = nextPicture(undefined, seen, options.clock.now());
  }

  /** Looks once. @throws {Failure} as `look` does. */
  static async open(options: NetworkOptions, signal: AbortSignal): Promise<Network> {
    return new Network(options, await options.look(signal));
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
    this.#noticedAt ??= this.#options.clock.elapsed();
    this.#notices.notify();
  }

  /** Looks after each notice, when something has settled, and every now and then anyway, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, lookEveryMs } = this.#options;
    return runTasks(
      signal,
      async (stop) => {
        let next = new AbortController();
        for await (const _ of this.#notices.wakes(stop)) {
          next.abort();
          next = new AbortController();
          await clock.sleep(gatherMs, stop);
          await this.#lookAgain(stop);
          this.#noticeWhenSettled(AbortSignal.any([stop, next.signal]));
          await clock.sleep(pauseMs, stop);
        }
      },
      async (stop) => {
        while (!stop.aborted) {
          await clock.sleep(lookEveryMs, stop);
          this.notice();
        }
      },
    );
  }

  async #lookAgain(signal: AbortSignal): Promise<void> {
    const { look, clock, log, settleMs } = this.#options;
    const before = { picture: this.#picture, isSeen: this.#isSeen };
    const at = this.#noticedAt ?? clock.elapsed();
    this.#noticedAt = undefined; // What is noticed from now on may be too late for this look.
    try {
      this.#settled = settle(this.#settled, await look(signal), { at, settleMs });
      this.#picture = nextPicture(before.picture, this.#settled.told, clock.now());
      this.#isSeen = true;
    } catch (error) {
      signal.throwIfAborted();
      this.#isSeen = false;
      if (before.isSeen) log.error({ error }, "the network cannot be seen");
    }
    if (this.#picture !== before.picture || this.#isSeen !== before.isSeen) this.changes.notify();
  }

  /** Sees to a look when the next interface may be told, unless there is a look before. */
  #noticeWhenSettled(signal: AbortSignal): void {
    const { clock, settleMs } = this.#options;
    const dueAt = nextDueAt(this.#settled, settleMs);
    if (dueAt === undefined || !this.#isSeen) return;
    // A timer may be early by a millisecond.
    const leftMs = Math.max(0, Math.ceil(dueAt - clock.elapsed())) + 1;
    clock.sleep(leftMs, signal).then(
      () => this.notice(),
      () => {}, // There was a look before.
    );
  }
}
