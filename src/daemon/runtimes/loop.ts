import { isDeepStrictEqual } from "node:util";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { backoffMs } from "../../base/backoff.ts";
import { Changes } from "../../base/changes.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import { runTasks } from "../../base/tasks.ts";
import { EngineFailure, followEvents, isEngineAway, nothing, type Observed } from "../engine/index.ts";
import { waitsFor } from "../wishes/index.ts";
import { noteUp } from "./ends.ts";
import { followNetmon } from "./follow-netmon.ts";
import { Looks } from "./looks.ts";
import { theContainer } from "./plan.ts";
import { type Engineness, Reach } from "./reach.ts";
import { recordFailed } from "./record.ts";
import { round } from "./round.ts";
import { groundOf, noLongerWaiting } from "./situation.ts";
import { newTended, type Tended } from "./tended.ts";
import { isToDo } from "./to-do.ts";
import type { Tools } from "./tools.ts";
import { failuresBefore } from "./trouble.ts";
import { Unplugged } from "./unplugged.ts";
import { otherOf, Wellbeing } from "./wellbeing.ts";

/** Between two rounds of a runtime that fail. */
const retryMs = { firstMs: 1_000, lastMs: 60_000 };

const stops = failure("cancelled", "the daemon stops; its loop goes on when it is back");

/**
 * Closes the gap between wishes and engine, for each runtime on its own: at the start, when a command changed a wish, when
 * the engine told of something, when it came back, and every 30 s. What fails is tried again after longer and longer pauses.
 */
export class Loop implements AsyncDisposable {
  /** What can be said of a runtime or of the engine may have changed. */
  readonly changes = new Changes();
  readonly #tools: Tools;
  readonly #reach: Reach;
  readonly #wellbeing: Wellbeing;
  readonly #stop = new AbortController();
  readonly #tended = new Map<string, Tended>();
  readonly #looks: Looks;
  readonly #tasks = new Set<Promise<void>>();
  #rounds = 0;

  constructor(tools: Omit<Tools, "notify" | "signal" | "lookIn" | "roundIn" | "other" | "follow">) {
    const { signal } = this.#stop;
    this.#tools = {
      ...{ ...tools, signal, notify: () => this.changes.notify() },
      lookIn: (name, ms) => this.#after(ms, () => this.#looks.add(name)),
      roundIn: (name, ms) => this.#after(ms, () => this.#askAgain(this.tended(name))),
      other: (name) => otherOf(this.#tools, name, this.#tended.get(name)),
      follow: (...run) => this.#wellbeing.follow(...run),
    };
    this.#wellbeing = new Wellbeing(this.#tools, {
      tended: (name) => this.tended(name),
      onChange: (name) => {
        this.#looks.add(name); // It may have to be restarted, or another one may wait for it.
        this.changes.notify();
      },
    });
    this.#looks = new Looks({ ...tools, look: (...at) => this.#look(...at) });
    this.#reach = new Reach(tools);
  }

  /** Aborted when the loop ends: from then on nothing is changed any more, neither wishes nor world. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get engine(): Engineness {
    return this.#reach.engine;
  }

  /** Watches the engine until the signal is aborted; with it, all rounds end, and what they were at is taken up next time. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine, store, clock, network, random } = this.#tools;
    const wake = (runtime?: string) => this.#heard(runtime);
    const events = { engine, instanceId: store.instanceId, clock, random, wake };
    const [back, changed] = [() => this.#tryAgainNow(), () => this.#netmonChanged()];
    const stop = () => this.#stop.abort(stops);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    await runTasks(
      this.#stop.signal,
      (all) => followEvents(events, all),
      (all) => followNetmon({ network, back, changed }, all),
      (all) => this.#looks.run(all),
    );
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(stops);
    await this.#wellbeing[Symbol.asyncDispose]();
    await Promise.all(this.#tasks);
  }

  /** For whom a start would have to wait now, as a sentence; undefined when it may be done. */
  waitsFor({ after }: Pick<RuntimeSpec, "after">): string | undefined {
    return waitsFor(after, this.#tools.other);
  }

  /** What is remembered of a runtime. */
  tended(name: string): Tended {
    const known = this.#tended.get(name) ?? newTended(name, { isTouched: true });
    this.#tended.set(name, known);
    return known;
  }

  /** Asks for a round that begins after this call, now and without a pause. It is over when `answered` reaches the number. */
  ask(name: string): number {
    const tended = this.tended(name);
    tended.notBefore = 0;
    if (tended.unplugged) tended.unplugged.notBefore = 0;
    tended.asked++;
    this.#begin(tended);
    this.changes.notify();
    return tended.asked;
  }

  /** The engine told of a runtime, or of who knows what. One that is in a round looks again at the end of that. */
  #heard(runtime?: string): void {
    const tended = runtime === undefined ? undefined : this.#tended.get(runtime);
    if (tended?.isBusy) tended.asked++;
    else this.#looks.add(runtime);
  }

  /** Netmon's word alone asks for a look only where something is to do. */
  #netmonChanged(): void {
    const names = new Set([...this.#tools.store.list().map(({ name }) => name), ...this.#plugged]);
    for (const name of names) {
      const tended = this.tended(name);
      if (!tended.isBusy && isToDo(this.#tools, tended, tended.seen ?? nothing)) this.#looks.add(name);
    }
    this.changes.notify();
  }

  /** Names of which netmon keeps something. */
  get #plugged(): Iterable<string> {
    const { netmon } = this.#tools.network;
    return netmon.at === "there" ? netmon.attached.keys() : [];
  }

  /** What could not be done without netmon need not wait out its pause. */
  #tryAgainNow(): void {
    for (const tended of this.#tended.values()) {
      if (tended.problem instanceof Unplugged) tended.notBefore = 0;
      if (tended.unplugged) tended.unplugged.notBefore = 0;
    }
  }

  /** Looks at these runtimes, or at everything, and begins rounds where something is to do. */
  async #look(these: ReadonlySet<string> | undefined, signal: AbortSignal): Promise<boolean> {
    const { engine, store } = this.#tools;
    const before = this.#rounds;
    let seen: Map<string, Observed>;
    try {
      seen = await engine.look(store.instanceId, these, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      this.#lost(asFailure(thrown));
      return false;
    }
    let isNew = this.engine.at !== "there";
    this.#reach.reached();
    const all = () => new Set([...store.list().map(({ name }) => name), ...seen.keys(), ...this.#plugged]);
    for (const name of these ?? all())
      isNew = this.#consider(name, seen.get(name) ?? nothing, before) || isNew;
    this.#wakeWaiting();
    if (isNew) this.changes.notify();
    return true;
  }

  /**
   * Begins a round if what was seen asks for one, and says whether anything is new. What a round may have changed since the
   * look is looked at again.
   */
  #consider(name: string, observed: Observed, before: number): boolean {
    const tended = this.tended(name);
    const isStale = tended.isBusy || tended.lastRound > before;
    const isNew = !isStale && !isDeepStrictEqual(tended.seen, observed);
    if (!isStale) this.#see(tended, observed);
    if (isStale || isToDo(this.#tools, tended, observed)) tended.asked++;
    this.#begin(tended);
    this.#forgetIfOver(tended);
    return isNew;
  }

  #see(tended: Tended, observed: Observed): void {
    const { store, clock } = this.#tools;
    const wish = store.get(tended.name);
    tended.seen = observed;
    const seen = wish && theContainer(wish, observed, groundOf(this.#tools));
    if (wish) noteUp(tended, seen, clock.elapsed());
    this.#wellbeing.follow(tended.name, wish, seen);
  }

  /** Begins rounds of runtimes that waited for others, and need not any more. */
  #wakeWaiting(): void {
    for (const tended of noLongerWaiting(this.#tools, this.#tended.values())) this.#askAgain(tended);
  }

  #begin(tended: Tended): void {
    if (tended.isBusy || tended.asked <= tended.answered || this.signal.aborted) return;
    if (this.#tools.clock.elapsed() < tended.notBefore) return;
    tended.isBusy = true;
    this.#keep(this.#roundOf(tended));
  }

  /** A round, and another one for what was asked meanwhile. */
  async #roundOf(tended: Tended): Promise<void> {
    const number = tended.asked;
    tended.lastRound = ++this.#rounds;
    let isOver = true;
    try {
      this.#end(tended, await round(this.#tools, tended));
    } catch (thrown) {
      isOver = !this.signal.aborted && this.#fail(tended, thrown);
    }
    tended.isBusy = false;
    if (isOver) tended.answered = number;
    this.#wakeWaiting();
    this.changes.notify();
    if (isOver) this.#begin(tended);
    this.#forgetIfOver(tended);
  }

  /** A round came to its end: all is as wished, or the next start must wait. */
  #end(tended: Tended, problem: Failure | undefined): void {
    this.#reach.reached();
    tended.failures = 0;
    tended.problem = problem;
  }

  /** A round failed. Says whether that answers those who wait: an engine that is away answers nobody. */
  #fail(tended: Tended, thrown: unknown): boolean {
    const { log } = this.#tools;
    const problem = asFailure(thrown);
    if (isEngineAway(thrown)) {
      this.#lost(problem);
      this.#looks.add();
      return false;
    }
    tended.failures = failuresBefore(tended, thrown) + 1;
    tended.problem = problem;
    this.#pause(tended, tended.failures);
    // What an engine answers to a hiccup, too, is a fact only when it says it again.
    const isHiccup = thrown instanceof EngineFailure && thrown.retry === "few";
    if (tended.failures === (isHiccup ? 2 : 1)) {
      log.warn({ runtime: tended.name, error: thrown }, "a runtime is not as wished");
      recordFailed(this.#tools, tended.name, problem);
    }
    return true;
  }

  #lost(problem: Failure): void {
    const isNew = this.engine.at !== "away";
    this.#reach.lost(problem);
    for (const tended of this.#tended.values()) tended.counted = undefined; // What nobody sees does not count.
    if (isNew) this.changes.notify();
  }

  #pause(tended: Tended, failures: number): void {
    const { clock, random } = this.#tools;
    const ms = backoffMs(failures, { ...retryMs, random });
    tended.notBefore = clock.elapsed() + ms;
    this.#after(ms, () => (tended.problem ? this.#askAgain(tended) : this.#begin(tended)));
  }

  #askAgain(tended: Tended): void {
    tended.asked++;
    this.#begin(tended);
  }

  #forgetIfOver(tended: Tended): void {
    const { name, isBusy, tellers } = tended;
    if (isBusy || tellers.size > 0 || this.#tools.store.get(name)) return;
    this.#wellbeing.follow(name, undefined, undefined);
    this.#tended.delete(name);
  }

  /** A millisecond later than asked: whoever looks then finds that it is over, however sums are rounded. */
  #after(ms: number, work: () => void): void {
    const { clock, signal } = this.#tools;
    this.#keep(clock.sleep(ms + 1, signal).then(work, () => {}));
  }

  #keep(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }
}
