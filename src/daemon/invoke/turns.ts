import { failure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";

/**
 * At most `atOnce` pieces of work at once for each key, and at most `waiting` more that wait: a runtime that hangs holds up
 * its own callers only, and not without end.
 */
export class Turns {
  readonly #limit: { atOnce: number; waiting: number };
  readonly #keys = new Map<string, { gate: Gate; present: number }>();

  constructor(limit: { atOnce: number; waiting: number }) {
    this.#limit = limit;
  }

  /** Runs `work` when it is its turn. @throws {Failure} exhausted: too many wait already. What the signal's reason is. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { atOnce, waiting } = this.#limit;
    const at = this.#keys.get(key) ?? { gate: new Gate(atOnce), present: 0 };
    if (at.present >= atOnce + waiting) {
      throw failure("exhausted", `${waiting} requests already wait for ${key}: try again when some are done`);
    }
    this.#keys.set(key, at);
    at.present++;
    try {
      return await at.gate.run(signal, work);
    } finally {
      if (--at.present === 0) this.#keys.delete(key);
    }
  }
}
