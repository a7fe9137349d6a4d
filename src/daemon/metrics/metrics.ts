import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { runTasks } from "../../base/tasks.ts";
import { History, type Point } from "./history.ts";
import { readingsOf, type Sources } from "./reading.ts";
import { type Reading, sampleOf } from "./sample.ts";
import { measuredOf } from "./slots.ts";

export interface MetricsOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  clock: Clock;
  log: Logger;
  sources: Sources;
  /** One sample of each running runtime by its name. May be slow; it is asked again only after it has answered. */
  runtimeSamples: (signal: AbortSignal) => Promise<ReadonlyMap<string, Sample>>;
  /** Time between samples in milliseconds. */
  intervalMs: number;
  /** Longest time between commits of the history, in milliseconds: what a crash loses. One minute when absent. */
  commitMs?: number;
}

export interface MetricsQuery {
  /** A runtime's name; the node itself when absent. */
  runtime?: string;
  /** Wall time in milliseconds, inclusive. */
  since: number;
  /** Wall time in milliseconds, exclusive. */
  until: number;
  maxPoints: number;
}

/** Measures the node and its runtimes, and keeps what it measured. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #history: History;
  readonly #read: (elapsedMs: number) => Reading;
  readonly #startedAt: number;
  #last: { reading: Reading; sample: Sample };
  #committedAt: number;
  readonly #broken = new Set<string>();

  private constructor(options: MetricsOptions, history: History) {
    this.#options = options;
    this.#history = history;
    this.#startedAt = options.clock.elapsed();
    this.#committedAt = this.#startedAt;
    this.#read = readingsOf(options.sources);
    const reading = this.#read(this.#startedAt);
    this.#last = { reading, sample: sampleOf(undefined, reading) };
  }

  /** Takes a first reading. Throws when the kernel or the state's file system cannot be read at all. */
  static open(options: MetricsOptions): Metrics {
    return new Metrics(options, new History(options.sql, options.intervalMs));
  }

  /**
   * Samples until the signal is aborted, then commits what waits. An engine that does not answer, a full disk or a file of
   * the kernel that cannot be read leaves a hole in the history and one line in the log; it stops nothing.
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await runTasks(signal, this.#sampleNode.bind(this), this.#sampleRuntimes.bind(this));
    } finally {
      this.#attempt("metrics cannot be written", () => this.#history.commit());
    }
  }

  /** The newest sample of the node: not older than one interval while `run` runs. Costs nothing. */
  latest(): Sample {
    return this.#last.sample;
  }

  /** See `History.query`; includes what is not on disk yet. */
  query({ runtime, ...range }: MetricsQuery): { points: Point[]; resolutionMs: number } {
    return this.#history.query({ series: runtime ?? "", ...range });
  }

  /** Whether there are samples of a runtime of this name, running or gone. */
  hasSeries(runtime: string): boolean {
    return this.#history.has(runtime);
  }

  async #sampleNode(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, commitMs = 60_000 } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      this.#attempt("the node cannot be measured", () => {
        const reading = this.#read(clock.elapsed());
        const sample = sampleOf(this.#last.reading, reading);
        this.#keep("", sample, reading.elapsedMs - this.#last.reading.elapsedMs);
        this.#last = { reading, sample };
      });
      if (clock.elapsed() - this.#committedAt < commitMs) continue;
      this.#committedAt = clock.elapsed();
      this.#attempt("metrics cannot be written", () => this.#history.commit());
    }
  }

  async #sampleRuntimes(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, runtimeSamples } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      try {
        for (const [name, sample] of await runtimeSamples(signal)) this.#keep(name, sample, intervalMs);
        this.#worksAgain("runtimes cannot be measured");
      } catch (error) {
        signal.throwIfAborted();
        this.#breaks("runtimes cannot be measured", error);
      }
    }
  }

  #keep(series: string, sample: Sample, lastedMs: number): void {
    const { clock } = this.#options;
    const measured = measuredOf(sample, Math.round(clock.now() - lastedMs));
    this.#history.add(series, measured, clock.elapsed() - this.#startedAt);
  }

  #attempt(sentence: string, work: () => void): void {
    try {
      work();
      this.#worksAgain(sentence);
    } catch (error) {
      this.#breaks(sentence, error);
    }
  }

  /** Says a trouble once, not at every beat. */
  #breaks(sentence: string, error: unknown): void {
    if (this.#broken.has(sentence)) return;
    this.#broken.add(sentence);
    this.#options.log.warn({ error }, sentence);
  }

  #worksAgain(sentence: string): void {
    if (this.#broken.delete(sentence)) this.#options.log.info(`no longer: ${sentence}`);
  }
}
