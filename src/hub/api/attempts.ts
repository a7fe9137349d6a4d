import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";

const windowMs = 60_000;
/** Refusals of one address within a minute: a person who mistypes never gets there, and a program that guesses nowhere. */
const limit = 20;
/** Addresses remembered at once; with more, the oldest is forgotten. */
const addressLimit = 10_000;

/**
 * How often callers of an address were refused of late. Only refusals count, so that a plant of a thousand nodes behind one
 * address enrols as fast as it can.
 */
export class Attempts {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, { since: number; refusals: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws {Failure} exhausted: this address was refused too often. */
  check(address: string): void {
    const known = this.#byAddress.get(address);
    if (!known || known.refusals < limit) return;
    const leftMs = known.since + windowMs - this.#clock.elapsed();
    if (leftMs <= 0) return;
    throw failure(
      "exhausted",
      `${limit} attempts from ${address} were refused within a minute: try again in ${Math.ceil(leftMs / 1000)} s`,
    );
  }

  /** Notes that a caller was refused. */
  note(address: string): void {
    const at = this.#clock.elapsed();
    const known = this.#byAddress.get(address);
    if (known && at - known.since < windowMs) {
      known.refusals++;
      return;
    }
    this.#byAddress.delete(address);
    this.#byAddress.set(address, { since: at, refusals: 1 });
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size > addressLimit && oldest !== undefined) this.#byAddress.delete(oldest);
  }
}
