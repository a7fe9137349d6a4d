import type { Renewal, RenewalAnswer, RenewalWanted } from "../../../gen/edge/v1/control_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Writer } from "./writer.ts";

export interface RenewingOptions {
  clock: Clock;
  writer: Writer;
  /** The answer to a node that asks for its next certificate; undefined from a hub that issues none. */
  answer: (asked: Renewal) => Promise<RenewalAnswer> | undefined;
}

/** A renewal is answered at most this often, in milliseconds; a node waits as long between two at least. */
const paceMs = 1_000;

/** What is said of certificates on one stream. */
export class Renewing {
  readonly #options: RenewingOptions;
  #takesRoots = false;
  #isWanted = false;
  #from = 0;

  constructor(options: RenewingOptions) {
    this.#options = options;
  }

  /** Whether the node was told to ask for a certificate. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** The stream is open, and the node said which roots it trusts; none, when it keeps to its own for ever. */
  begin(trustedRoots: readonly Uint8Array[]): void {
    this.#takesRoots = trustedRoots.length > 0;
  }

  /** Has the node ask for a certificate before its own is due. One that keeps its roots for ever is not asked. */
  want(wanted: RenewalWanted): void {
    if (!this.#takesRoots) return;
    this.#isWanted = true;
    this.#options.writer.outbox.wantRenewal(wanted);
    this.#options.writer.wake();
  }

  /** A node that asks again at once is not answered: a signature costs the hub more than the node. */
  asked(asked: Renewal): void {
    const { clock, writer, answer } = this.#options;
    const now = clock.elapsed();
    if (now < this.#from) return;
    this.#from = now + paceMs;
    void answer(asked)?.then((it) => {
      writer.outbox.renewal(it);
      writer.wake();
    });
  }
}
