import type { RenewalAnswer } from "../../../gen/edge/v1/control_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Outbox } from "./outbox.ts";
import type { Ask } from "./renewal.ts";

export interface SuccessionOptions {
  clock: Clock;
  /** Has the certificate renewed when it is due; resolves when there is a new one to try. */
  renew(ask: Ask, signal: AbortSignal): Promise<void>;
  /** Lets the next session begin, with the new certificate; resolves with whether it was welcomed. */
  handOver(signal: AbortSignal): Promise<boolean>;
}

/** How long the hub may take to answer a renewal, in milliseconds. */
const renewalMs = 30_000;
/** How long a hub that does not say so may go on asking on the old stream when the new one is up, in milliseconds. */
const lastQuestionsMs = 2_000;

/**
 * How a session makes room for the next one of the same node, which has a newer certificate. The old stream stays up until the new one
 * was welcomed and all that it was asked is answered, so that nothing is lost and the node is never away.
 */
export class Succession {
  readonly #options: SuccessionOptions;
  readonly #superseded = Promise.withResolvers<void>();
  #answer: PromiseWithResolvers<RenewalAnswer> | undefined;
  #isYielding = false;
  #isLeaving = false;

  constructor(options: SuccessionOptions) {
    this.#options = options;
  }

  /**
   * The next session is on its way and has said which commands are here: one that comes on this stream now is not taken, and the
   * hub sends it again on the other.
   */
  get isYielding(): boolean {
    return this.#isYielding;
  }

  /** The session ends when it owes no answer. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Resolves when the session is to leave. */
  async run(outbox: Outbox, signal: AbortSignal): Promise<void> {
    const { clock, renew, handOver } = this.#options;
    await renew((csrDer) => this.#ask(outbox, csrDer, signal), signal);
    this.#isYielding = true;
    outbox.yield();
    const isWelcome = await handOver(signal);
    if (isWelcome) await Promise.race([this.#superseded.promise, clock.sleep(lastQuestionsMs, signal)]);
    this.#isLeaving = true;
    outbox.wake.notify();
  }

  /** The hub answered a renewal. */
  answered(answer: RenewalAnswer): void {
    this.#answer?.resolve(answer);
  }

  /** The hub gave the node's place to another stream. Whether that is the next one of this very daemon. */
  superseded(): boolean {
    this.#superseded.resolve();
    return this.#isYielding;
  }

  async #ask(outbox: Outbox, csrDer: Uint8Array, signal: AbortSignal): Promise<RenewalAnswer> {
    this.#answer = Promise.withResolvers();
    outbox.renewal(csrDer);
    const answer = await Promise.race([this.#answer.promise, this.#options.clock.sleep(renewalMs, signal)]);
    if (!answer) throw failure("deadline", `the hub did not answer within ${renewalMs / 1000} s`);
    return answer;
  }
}
