import type { Clock } from "../../base/clock.ts";
import { type Failure, failure } from "../../base/failure.ts";

/** What one cell may ask of its broker. Far more than a program needs, and so little that a hundred that go wild are borne. */
export const limits = {
  /** Calls in a second, in the long run. A call with a payload counts for more: one for each 16 KiB. */
  perSecond: 500,
  /** Calls at once after a pause. */
  burst: 1_000,
  /** Calls under way that are answered once. */
  calls: 64,
  /** Subscriptions and the like. */
  streams: 32,
  /** Requests under way, counted from their first byte on: of each, as much is held in memory as a request may be long. */
  requests: 96,
};

type Kind = "calls" | "streams" | "requests";

const bytesPerToken = 16 << 10;

/** The limits of one cell: a bucket of tokens, and how much is under way. */
export class CellLimits {
  readonly #clock: Pick<Clock, "elapsed">;
  readonly #underWay = { calls: 0, streams: 0, requests: 0 };
  #tokens = limits.burst;
  #at: number;

  constructor(clock: Pick<Clock, "elapsed">) {
    this.#clock = clock;
    this.#at = clock.elapsed();
  }

  /**
   * Notes that something begins, and returns what to call at its end.
   * @throws {Failure} exhausted: too often, or too much at once.
   */
  enter(kind: Kind, bytes: number): () => void {
    // A request is not counted again: what it asks will be.
    if (kind !== "requests") this.#take(1 + Math.floor(bytes / bytesPerToken));
    if (this.#underWay[kind] >= limits[kind]) {
      throw exceeded(`${limits[kind]} ${kind} of this container are under way: wait until some have ended`);
    }
    this.#underWay[kind]++;
    let isOver = false;
    return () => {
      if (!isOver) this.#underWay[kind]--;
      isOver = true;
    };
  }

  #take(tokens: number): void {
    const now = this.#clock.elapsed();
    this.#tokens = Math.min(limits.burst, this.#tokens + ((now - this.#at) / 1000) * limits.perSecond);
    this.#at = now;
    if (this.#tokens < tokens) {
      const waitMs = Math.ceil(((tokens - this.#tokens) / limits.perSecond) * 1000);
      throw exceeded(
        `this container asks more often than ${limits.perSecond} times a second: try again in ${waitMs} ms`,
      );
    }
    this.#tokens -= tokens;
  }
}

function exceeded(sentence: string): Failure {
  return failure("exhausted", sentence, { word: "broker_limit" });
}
