import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { Gate } from "../../base/gate.ts";
import { type Engine, isNotFound } from "../engine/index.ts";
import { kernelUsage } from "./kernel-usage.ts";
import { type Measured, sampleBetween, type Usage, usageOf } from "./usage.ts";

/** Containers that an engine is asked about at once: it has its figures ready once a second, then those of all. */
const askedAtOnce = 32;
/** A container is measured again for those who watch only after this time, in milliseconds, however many they are. */
const freshMs = 1000;
/** What nobody has asked for in this time is forgotten, in milliseconds. */
const forgottenMs = 60_000;

/** Measures running containers; remembers what it measured last, for the rates. */
export class Stats {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #asking = new Gate(askedAtOnce);
  #before = new Map<string, Usage>();
  readonly #watched = new Map<string, { usage: Usage; sample: Sample }>();
  readonly #watching = new Gate(1);

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** One sample for each that still runs, by the runtime's name: for the history, so each goes on from the one before. */
  async take(running: readonly Measured[], signal: AbortSignal): Promise<Map<string, Sample>> {
    const samples = new Map<string, Sample>();
    const now = new Map<string, Usage>();
    for (const { one, usage } of await this.#measureAll(running, signal)) {
      samples.set(one.name, sampleBetween(this.#before.get(keyOf(one)), usage));
      now.set(keyOf(one), usage);
    }
    this.#before = now;
    return samples;
  }

  /** The same for those who watch: not older than a second. Rates go on from the newest measurement that is not too near. */
  async now(running: readonly Measured[], signal: AbortSignal): Promise<Map<string, Sample>> {
    return await this.#watching.run(signal, async () => {
      const ageMs = ({ elapsedMs }: Usage) => this.#clock.elapsed() - elapsedMs;
      for (const [key, { usage }] of this.#watched) {
        if (ageMs(usage) >= forgottenMs) this.#watched.delete(key);
      }
      const fresh = ({ usage }: { usage: Usage }) => ageMs(usage) < freshMs;
      const stale = running.filter((one) => {
        const known = this.#watched.get(keyOf(one));
        return !known || !fresh(known);
      });
      for (const { one, usage } of await this.#measureAll(stale, signal)) {
        const key = keyOf(one);
        const before = newestBefore(usage, [this.#watched.get(key)?.usage, this.#before.get(key)]);
        this.#watched.set(key, { usage, sample: sampleBetween(before, usage) });
      }
      return new Map(
        running.flatMap((one) => {
          const known = this.#watched.get(keyOf(one));
          return known ? [[one.name, known.sample] as const] : [];
        }),
      );
    });
  }

  async #measureAll(running: readonly Measured[], signal: AbortSignal) {
    const all = running.map(async (one) => {
      const usage = await this.#asking.run(signal, () => this.#measure(one, signal));
      return usage ? [{ one, usage }] : [];
    });
    return (await Promise.all(all)).flat();
  }

  async #measure(one: Measured, signal: AbortSignal): Promise<Usage | undefined> {
    const seen = kernelUsage(one, { elapsedMs: this.#clock.elapsed(), wallMs: this.#clock.now() });
    if (seen) return seen;
    try {
      const said = await this.#engine.stats(one.id, signal);
      return said && usageOf(said, one, this.#clock.elapsed());
    } catch (thrown) {
      if (isNotFound(thrown)) return undefined;
      throw thrown;
    }
  }
}

/** Counters begin anew with each start. */
function keyOf({ id, startedAt }: Measured): string {
  return `${id} ${startedAt}`;
}

/** A rate over less than this says nothing, in milliseconds. */
const tooNearMs = 500;

/** The newest of the earlier measurements that is far enough away. */
function newestBefore(after: Usage, earlier: readonly (Usage | undefined)[]): Usage | undefined {
  return earlier
    .filter((one) => one !== undefined)
    .filter(({ elapsedMs }) => after.elapsedMs - elapsedMs >= tooNearMs)
    .sort((one, other) => other.elapsedMs - one.elapsedMs)[0];
}
