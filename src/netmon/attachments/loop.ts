import { isDeepStrictEqual } from "node:util";
import { backoffMs } from "../../base/backoff.ts";
import { Changes } from "../../base/changes.ts";
import { asFailure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import { Lanes } from "../../base/lanes.ts";
import { runTasks } from "../../base/tasks.ts";
import { findOwners } from "../namespaces/index.ts";
import { DeviceLook } from "./device-look.ts";
import { NodeLane } from "./node-lane.ts";
import { findParent } from "./parent.ts";
import { failAll, round } from "./round.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** Rounds at once: each runs some programs, and a small machine has two cores. */
const roundsAtOnce = 8;
/** Waiting pieces of work of one owner; rounds that are asked for together are one. */
const laneLimit = 16;
/** Between two searches for containers, in milliseconds: one start makes a dozen notices. */
const pauseMs = 50;
/**
 * Looks again after a notice, in milliseconds. A container's process may be found a little after the notice of its engine's link,
 * and the engine may still be configuring routes of its own when ours are done.
 */
const lookAgainMs = [100, 300, 2_000];
/** Between two rounds of an owner that could not be done at all. */
const retryMs = { firstMs: 1_000, lastMs: 30_000 };

/**
 * Begins rounds: for each owner one after the other, for several side by side. It goes by levels: what is noticed during a round
 * asks for the next one, and what nobody noticed is seen by a slow look at everything.
 */
export class Loop implements AsyncDisposable {
  /** By owner. */
  readonly all = new Map<string, Tended>();
  /** A round has ended. */
  readonly rounds = new Changes();
  readonly #tools: Tools;
  readonly #lookEveryMs: number;
  readonly #lanes = new Lanes(laneLimit);
  readonly #gate = new Gate(roundsAtOnce);
  readonly #stop = new AbortController();
  readonly #node: NodeLane;
  readonly #devices: DeviceLook;
  readonly #looks = new Changes();
  readonly #tasks = new Set<Promise<void>>();
  #isNoticed = true;

  constructor(tools: Omit<Tools, "wake" | "wakeAfter" | "all">, lookEveryMs: number) {
    const wake = (tended: Tended) => void this.wake(tended);
    const wakeAfter: Tools["wakeAfter"] = (tended, ms) => this.#wakeAfter(tended, ms);
    this.#tools = { ...tools, wake, wakeAfter, all: () => this.all.values() };
    this.#lookEveryMs = lookEveryMs;
    this.#node = new NodeLane(this.all, this.#tools, this.signal);
    this.#devices = new DeviceLook(this.#tools);
  }

  get tools(): Tools {
    return this.#tools;
  }

  /** Aborted when the loop ends: from then on nothing is changed any more. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Containers may have come or gone, or the picture is another one. Costs nothing. */
  notice(): void {
    this.#isNoticed = true;
    this.#looks.notify();
  }

  /** Looks after each notice, and every now and then anyway, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#tools;
    this.#look();
    for (const tended of this.all.values()) this.wake(tended);
    this.#node.tend();
    await runTasks(
      AbortSignal.any([signal, this.signal]),
      async (stop) => {
        for await (const _ of this.#looks.wakes(stop)) {
          const began = clock.elapsed();
          this.#look();
          // On a machine with many processes a search takes its time: a tenth of all time at most.
          await clock.sleep(Math.max(pauseMs, 9 * (clock.elapsed() - began)), stop);
        }
      },
      async (stop) => {
        while (!stop.aborted) {
          await clock.sleep(this.#lookEveryMs, stop);
          for (const tended of this.all.values()) this.wake(tended);
          this.notice();
          this.#devices.notice();
        }
      },
      (stop) => this.#devices.run(stop),
    );
  }

  /** Resolves when every owner had a round, or the signal is aborted: until then nothing that is known is of now. */
  async looked(signal: AbortSignal): Promise<void> {
    for await (const _ of this.rounds.wakes(signal)) {
      if ([...this.all.values()].every(({ answered }) => answered > 0)) return;
    }
  }

  /** Does something of one owner while no round of it is under way. */
  alone<T>(owner: string, work: () => Promise<T>): Promise<T> {
    return this.#lanes.run(owner, work);
  }

  /** Forgets an owner, who is not looked after any more. */
  forget({ attachment, timer }: Tended): void {
    timer.abort();
    this.all.delete(attachment.owner);
    this.#node.tend();
    this.#devices.notice();
  }

  /** Asks for a round of an owner that may be new, whose container may run already. */
  begin(tended: Tended): number {
    if (!tended.process) this.#find([tended]);
    this.#devices.notice();
    return this.wake(tended);
  }

  /** Asks for a round that begins after this call; it is over when `answered` reaches the number. */
  wake(tended: Tended): number {
    tended.asked++;
    if (!tended.isQueued && !this.signal.aborted) {
      tended.isQueued = true;
      const round = this.alone(tended.attachment.owner, () => this.#round(tended));
      this.#keep(round.catch(() => this.#postpone(tended)));
    }
    return tended.asked;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#devices[Symbol.dispose]();
    await Promise.all([...this.#tasks, this.#node.ended()]);
  }

  async #round(tended: Tended): Promise<void> {
    tended.isQueued = false;
    const number = tended.asked;
    if (this.signal.aborted || this.all.get(tended.attachment.owner) !== tended) return;
    try {
      await this.#gate.run(this.signal, () => round(tended, this.#tools, this.signal));
      tended.failures = 0;
    } catch (error) {
      if (this.signal.aborted) return;
      this.#tools.log.error({ owner: tended.attachment.owner, error }, "vNICs could not be looked after");
      failAll(tended, asFailure(error), this.#tools);
      this.#postpone(tended);
    }
    tended.answered = number;
    this.rounds.notify();
    this.#node.tend();
  }

  /** A round could not be done, or not even begin because too much waits for this owner. */
  #postpone(tended: Tended): void {
    tended.isQueued = false;
    tended.failures++;
    this.#wakeAfter(tended, backoffMs(tended.failures, { ...retryMs, random: this.#tools.random }));
  }

  #look(): void {
    const missing: Tended[] = [];
    for (const tended of this.all.values()) {
      if (tended.netns && !tended.netns.isAlive) {
        tended.process = undefined;
        this.wake(tended);
      } else if (this.#isConcerned(tended)) this.wake(tended);
      if (!tended.process) missing.push(tended);
    }
    const isStillMissing = this.#find(missing);
    if (isStillMissing && this.#isNoticed)
      for (const ms of lookAgainMs) this.#after(ms, () => this.#looks.notify());
    this.#isNoticed = false;
  }

  /** Says whether a container is still missing. */
  #find(missing: readonly Tended[]): boolean {
    if (missing.length === 0) return false;
    const found = findOwners(new Set(missing.map(({ attachment }) => attachment.containerId)));
    for (const tended of missing) {
      tended.process = found.get(tended.attachment.containerId);
      if (!tended.process) continue;
      this.wake(tended);
      for (const ms of lookAgainMs) this.#after(ms, () => this.begin(tended));
    }
    return found.size < missing.length;
  }

  /** Whether the parent of one of its vNICs is another one, or different, than at its last round. */
  #isConcerned({ attachment, vnics }: Tended): boolean {
    const picture = this.#tools.picture();
    return attachment.vnics.some((wish) => {
      const vnic = vnics.get(wish.name);
      return vnic && !isDeepStrictEqual(vnic.parent, findParent(wish, picture));
    });
  }

  #wakeAfter(tended: Tended, ms: number): void {
    tended.timer.abort();
    tended.timer = new AbortController();
    this.#after(ms, () => this.wake(tended), tended.timer.signal);
  }

  #after(ms: number, then: () => void, until: AbortSignal = this.signal): void {
    const { clock } = this.#tools;
    const signal = until === this.signal ? until : AbortSignal.any([this.signal, until]);
    this.#keep(clock.sleep(ms, signal).then(then, () => {})); // It is not wanted any more.
  }

  #keep(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }
}
