import type { Clock } from "../../base/clock.ts";
import { Failure, failure } from "../../base/failure.ts";

const windowMs = 60_000;
/** Refusals within a minute: a person who mistypes never gets there. */
const refusalLimit = 20;
/** Who is remembered at once; with more, the oldest is forgotten. */
const rememberedLimit = 10_000;
/** Attempts at once. Each costs a signature or two, and a plant that enrols as a whole is no reason to be slow for others. */
const atOnceLimit = 64;

/**
 * Keeps attempts of strangers within bounds: how many there are at once, and how often the same one may be refused. Who it
 * is, is an address *and* a token: of a plant behind one address, a node that tries an old token for ever locks out nobody.
 */
export class Attempts {
  readonly #clock: Clock;
  readonly #refused = new Map<string, { since: number; times: number }>();
  #atOnce = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Makes an attempt. One that ends with `denied` counts against `who`.
   * @throws {Failure} exhausted: `who` was refused too often, or too many attempts are under way.
   */
  async make<T>(who: string, attempt: () => Promise<T>): Promise<T> {
    this.#check(who);
    this.#atOnce++;
    try {
      return await attempt();
    } catch (thrown) {
      if (thrown instanceof Failure && thrown.kind === "denied") this.#note(who);
      throw thrown;
    } finally {
      this.#atOnce--;
    }
  }

  #check(who: string): void {
    if (this.#atOnce >= atOnceLimit) {
      throw failure("exhausted", "many nodes are enrolling right now: try again in a moment");
    }
    const known = this.#refused.get(who);
    if (!known || known.times < refusalLimit) return;
    const leftMs = known.since + windowMs - this.#clock.elapsed();
    if (leftMs <= 0) return;
    const wait = `try again in ${Math.ceil(leftMs / 1000)} s, with a new token`;
    throw failure("exhausted", `this token was refused ${known.times} times within a minute: ${wait}`);
  }

  #note(who: string): void {
    const at = this.#clock.elapsed();
    const known = this.#refused.get(who);
    if (known && at - known.since < windowMs) {
      known.times++;
      return;
    }
    this.#refused.delete(who);
    this.#refused.set(who, { since: at, times: 1 });
    const [oldest] = this.#refused.keys();
    if (this.#refused.size > rememberedLimit && oldest !== undefined) this.#refused.delete(oldest);
  }
}
