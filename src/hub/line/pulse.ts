import { create } from "@bufbuild/protobuf";
import { type Pace, PaceSchema, type Welcome } from "../../../gen/edge/v1/control_pb.ts";
import { isOtherPace, rhythmFor } from "./pace.ts";

/** When a node was heard, when its lease is over, and when it is the hub's turn to say that it is alive. Times are elapsed milliseconds. */
export class Pulse {
  #heardAt: number;
  #leaseMs: number;
  #beatAt = Number.POSITIVE_INFINITY;
  #beatMs = 0;
  #idleIntervalMs = 0;

  /** Something must be heard within `leaseMs`. */
  constructor(now: number, leaseMs: number) {
    this.#heardAt = now;
    this.#leaseMs = leaseMs;
  }

  /** From now on there are beats, as the hub's Welcome says, and as the node asked. */
  begin(now: number, { beatIntervalMs, leaseMs }: Welcome, idleIntervalMs: number): void {
    this.#heardAt = now;
    this.#beatMs = beatIntervalMs;
    this.#leaseMs = leaseMs;
    this.#idleIntervalMs = idleIntervalMs;
    this.#beatAt = now + beatIntervalMs;
  }

  /** The node said something. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** It was a beat: whether it is to be answered with one, at once. */
  isAnswered(now: number): boolean {
    const { isAnswer } = rhythmFor(this.#beatMs, this.#idleIntervalMs);
    if (isAnswer) this.#beatAt = now + this.#leaseMs;
    return isAnswer;
  }

  /** Whether nothing was heard for the time of the lease. */
  isOver(now: number): boolean {
    return now - this.#heardAt > this.#leaseMs;
  }

  /** What is to be said at `now`, by a hub that wants a beat of a node without wishes every `usualBeatMs`. */
  due(now: number, usualBeatMs: number): { pace: Pace | undefined; beat: boolean } {
    const { beatMs, leaseMs } = rhythmFor(usualBeatMs, this.#idleIntervalMs);
    let pace: Pace | undefined;
    if (isOtherPace(this.#beatMs, beatMs)) {
      this.#beatMs = beatMs;
      // It never shrinks: the node may learn of the new pace long after we said it.
      this.#leaseMs = Math.max(this.#leaseMs, leaseMs);
      pace = create(PaceSchema, { beatIntervalMs: beatMs, leaseMs });
    }
    const beat = now >= this.#beatAt;
    if (beat) this.#beatAt = now + this.#beatMs;
    return { pace, beat };
  }
}
