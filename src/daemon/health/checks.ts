import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { Gate } from "../../base/gate.ts";
import type { Engine } from "../engine/index.ts";
import { execChecker } from "./exec-check.ts";
import { type Answer, beforeChecks, type Check, type Judged, judge } from "./health.ts";
import { probe } from "./probe.ts";

/** Checks at once, over all runtimes. */
const atOnce = 8;
/** Between two checks of a program that is not known to work yet, in milliseconds: others may wait for it. */
const startingMs = 2_000;

/** One run of a program, to be checked. */
export interface Run {
  /** Its container, and when that was started, by the engine's clock. */
  id: string;
  startedAt: string;
  /** Its address on its own network; empty when it has none. */
  address: string;
  check: Check;
  /** What was last told of the runtime. */
  told: Health;
}

interface Options {
  engine: Engine;
  clock: Clock;
  /** Uniform in [0, 1): checks of many runtimes must not fall together. */
  random: () => number;
  /** Called with what is known of a run: before its first check, and after each. */
  onJudged: (name: string, startedAt: string, judged: Judged) => void;
}

/** Checks the programs of runtimes again and again, for as long as they run. What has no check costs nothing. */
export class Checks implements AsyncDisposable {
  readonly #options: Options;
  readonly #gate = new Gate(atOnce);
  readonly #runs = new Map<string, { key: string; stop: AbortController; over: Promise<void> }>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** From now on this run of a runtime is checked, or none. The same run is gone on with. */
  follow(name: string, run: Run | undefined): void {
    const key = run ? `${run.id} ${run.startedAt} ${run.address} ${JSON.stringify(run.check)}` : "";
    const known = this.#runs.get(name);
    if ((known?.key ?? "") === key) return;
    known?.stop.abort();
    this.#runs.delete(name);
    if (!run) return;
    const stop = new AbortController();
    const over = this.#check(name, run, stop.signal).catch(() => {}); // It ends only when it is told to.
    this.#runs.set(name, { key, stop, over });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    for (const { stop } of runs) stop.abort();
    await Promise.all(runs.map(({ over }) => over));
  }

  async #check(name: string, run: Run, signal: AbortSignal): Promise<void> {
    const { clock, random, onJudged } = this.#options;
    const { check, startedAt, told } = run;
    // Told by the wall once, and measured from then on: a clock that is set makes nothing unhealthy.
    const startedMs = clock.elapsed() - Math.max(0, clock.now() - Date.parse(startedAt));
    const ranMs = () => clock.elapsed() - startedMs;
    const ask = this.#askOf(run);
    let judged = beforeChecks(check, ranMs(), told);
    onJudged(name, startedAt, judged);
    let pauseMs = Math.min(startingMs, check.intervalMs) * random();
    for (;;) {
      await clock.sleep(pauseMs, signal);
      const answer = await this.#gate.run(signal, () => ask(signal));
      signal.throwIfAborted();
      if (answer) {
        judged = judge(judged, answer, check, ranMs());
        onJudged(name, startedAt, judged);
      }
      const isStarting = judged.health !== Health.HEALTHY && ranMs() < check.startPeriodMs;
      const usualMs = isStarting ? Math.min(startingMs, check.intervalMs) : check.intervalMs;
      pauseMs = usualMs * (0.9 + 0.2 * random());
    }
  }

  /** How a run is asked; undefined when the engine could not ask, which says nothing about the program. */
  #askOf({ check, id, address }: Run): (signal: AbortSignal) => Promise<Answer | undefined> {
    const { question, timeoutMs } = check;
    if (question.by === "exec") {
      const ask = execChecker(this.#options.engine, id, { command: question.command, timeoutMs });
      return (signal) => ask(signal).catch(() => undefined);
    }
    if (address !== "") return (signal) => probe(address, question, { timeoutMs, signal });
    return () => Promise.resolve({ isWell: false, said: "it has no address on its own network" });
  }
}
