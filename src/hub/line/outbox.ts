import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "../../../gen/edge/v1/command_pb.ts";
import {
  type Drain,
  type HubFrame,
  HubFrameSchema,
  type Pace,
  type Reject,
  type RenewalAnswer,
  type RenewalWanted,
  type Welcome,
} from "../../../gen/edge/v1/control_pb.ts";

type Said = NonNullable<MessageInitShape<typeof HubFrameSchema>["body"]>;

/**
 * What one node is to be sent, as levels and short lists, not as a queue of frames: a node that reads slowly costs no more
 * than one that reads fast, and what is urgent does not stand behind what is large. Commands come from the `Sender`, when
 * there is nothing here.
 */
export class Outbox {
  /** Reads to be asked. The session bounds them. */
  readonly #reads: Command[] = [];
  #first: Said | undefined;
  #drain: Drain | undefined;
  #pace: Pace | undefined;
  #renewal: RenewalAnswer | undefined;
  #wanted: RenewalWanted | undefined;
  #last: Reject | undefined;
  #isBeatDue = false;
  #stored = 0;
  #acknowledged = 0;

  /** The answer to the hello, or the refusal that ends the stream: nothing else is sent before it. */
  answer(body: { case: "welcome"; value: Welcome } | { case: "reject"; value: Reject }): void {
    this.#first = body;
  }

  /** Reports up to here are on disk. */
  stored(through: number): void {
    this.#stored = Math.max(this.#stored, through);
  }

  /** A beat is due. */
  beat(): void {
    this.#isBeatDue = true;
  }

  /** The node is to beat at another pace. */
  pace(pace: Pace): void {
    this.#pace = pace;
  }

  /** The answer to a node that asked for its next certificate. */
  renewal(answer: RenewalAnswer): void {
    this.#renewal = answer;
  }

  /** The node is to ask for a certificate. */
  wantRenewal(wanted: RenewalWanted): void {
    this.#wanted = wanted;
  }

  /** When all that is to be asked here was asked: another stream of the node has its place. */
  superseded(by: Reject): void {
    this.#last = by;
  }

  /** The node is to go, and to come back later. */
  drain(drain: Drain): void {
    this.#drain = drain;
  }

  /** A read is to be asked. */
  read(command: Command): void {
    this.#reads.push(command);
  }

  /** The next frame, most urgent first; undefined when there is nothing to say. `now` is the hub's wall time. */
  next(now: number): HubFrame | undefined {
    const body = this.#next(now);
    return body && create(HubFrameSchema, { body });
  }

  #next(now: number): Said | undefined {
    const [first, drain, pace, renewal] = [this.#first, this.#drain, this.#pace, this.#renewal];
    if (first) {
      this.#first = undefined;
      return first;
    }
    if (drain) {
      this.#drain = undefined;
      return { case: "drain", value: drain };
    }
    if (this.#stored > this.#acknowledged) {
      this.#acknowledged = this.#stored;
      return { case: "reportsAck", value: { throughSequence: BigInt(this.#stored) } };
    }
    if (this.#isBeatDue) {
      this.#isBeatDue = false;
      return { case: "beat", value: { serverTime: timestampFromMs(now) } };
    }
    if (pace) {
      this.#pace = undefined;
      return { case: "pace", value: pace };
    }
    if (renewal) {
      this.#renewal = undefined;
      return { case: "renewal", value: renewal };
    }
    if (this.#wanted) {
      const wanted = this.#wanted;
      this.#wanted = undefined;
      return { case: "renewalWanted", value: wanted };
    }
    const read = this.#reads.shift();
    if (read) return { case: "command", value: { sequence: 0n, command: read } };
    const last = this.#last;
    this.#last = undefined;
    return last && { case: "reject", value: last };
  }
}
