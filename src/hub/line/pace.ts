import { leaseMsOf } from "../../wire/limits.ts";

/** Beats that a hub takes in a second, of all nodes together: about a tenth of one core. */
const beatsPerSecond = 1000;

/**
 * Time between the beats of each node of a fleet with this many connected nodes, in milliseconds. Stretched so that beats of
 * all nodes together never cost more than a part of the hub: twenty thousand nodes beat every 20 seconds.
 */
export function beatMsFor(baseMs: number, connected: number): number {
  return Math.max(baseMs, Math.ceil((connected * 1000) / beatsPerSecond));
}

/** How a line says that it is alive. */
export interface Rhythm {
  /** Time between the node's beats, in milliseconds. */
  beatMs: number;
  leaseMs: number;
  /** Whether the hub's beat is the answer to the node's, and not kept in a time of its own. */
  isAnswer: boolean;
}

/**
 * How a line says that it is alive, whose hub wants a beat in `beatMs`. A node that pays for every byte may ask for less: one frame in
 * `idleIntervalMs`. Then a beat goes there and back in twice that time, because a frame that answers another at once carries its
 * acknowledgement, too; and when nothing has come in thrice that time the lease is over.
 */
export function rhythmFor(beatMs: number, idleIntervalMs: number): Rhythm {
  if (idleIntervalMs === 0 || 2 * idleIntervalMs < beatMs)
    return { beatMs, leaseMs: leaseMsOf(beatMs), isAnswer: false };
  return { beatMs: 2 * idleIntervalMs, leaseMs: 3 * idleIntervalMs, isAnswer: true };
}

/** Whether a node should be told another pace. Small changes are not worth a frame to everybody. */
export function isOtherPace(toldMs: number, wantedMs: number): boolean {
  return wantedMs > toldMs * 1.25 || wantedMs < toldMs * 0.75;
}

/** Streams that a hub lets in in a second: with its handshake one costs about 3 ms of a core, half of them after it. */
export const usualPerSecond = 400;

/** A stream may come in, now or after a while where it is; or is to come again after a while. In milliseconds. */
export type Turn = { waitMs: number } | { retryAfterMs: number };

/** How long a stream waits where it is: less than a node waits for an answer. Who is sent away has to shake hands again. */
const patienceMs = 8_000;

/** Lets in so many streams a second, and a short burst at once. Others wait; whose wait is too long is given a time at which it fits in. */
export class Turnstile {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #random: () => number;
  /** When the streams that were let in are paid for. */
  #paidAt = 0;
  /** Up to when those who were sent away are expected back. */
  #promisedUntil = 0;

  constructor({ perSecond, random }: { perSecond: number; random: () => number }) {
    this.#intervalMs = 1000 / perSecond;
    this.#burstMs = Math.max(1000, this.#intervalMs);
    this.#random = random;
  }

  /**
   * The turn of a stream that comes at `now` (elapsed milliseconds). Those who are sent away are spread over the time that serving
   * them takes, with a second of jitter.
   */
  enter(now: number): Turn {
    const paidAt = Math.max(this.#paidAt, now);
    const waitMs = Math.max(0, paidAt - now - (this.#burstMs - this.#intervalMs));
    if (waitMs <= patienceMs) {
      this.#paidAt = paidAt + this.#intervalMs;
      return { waitMs };
    }
    this.#promisedUntil = Math.max(this.#promisedUntil, paidAt) + this.#intervalMs;
    return { retryAfterMs: Math.ceil(this.#promisedUntil - now + this.#random() * 1000) };
  }
}
