import { X509Certificate } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Reject, RejectCode, type RenewalAnswer } from "../../../gen/edge/v1/control_pb.ts";
import { IdentityChangeKind, IdentityChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { Bell } from "../../base/bell.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { fromFailureMessage } from "../../wire/failures.ts";
import type { Credentials, Identity } from "../identity/index.ts";
import type { Journal } from "../journal/index.ts";
import { type End, renewalAt, retryRenewalMs, whyOf } from "./plan.ts";
import type { Reached } from "./route.ts";

export interface RenewalOptions {
  credentials: Credentials;
  journal: Journal;
  clock: Clock;
  log: Logger;
  random: () => number;
  /** Wall time by the hub's clock, which judges certificates; by this machine's until a hub was heard. */
  hubNow: () => number;
}

/** With whom the next attempt is made. */
export interface Turn {
  identity: Identity;
  /** There is a candidate, and this is it, or this is the identity in use once more. */
  candidate: "none" | "this" | "other";
}

/** Asks a hub to sign; resolves with its answer. */
export type Ask = (csrDer: Uint8Array) => Promise<RenewalAnswer>;

/** The longest that a look at the clock is put off, in milliseconds: clocks are set. A hub does not put it off for longer. */
const lookMs = 3_600_000;
/** The shortest time between two renewals that the hub wants, in milliseconds. */
const wantedPaceMs = 1_000;

/**
 * Keeps the certificate young. A new one is asked for in time, tried as a candidate, and kept when a hub has welcomed it.
 * Whether a hub that did not answer has seen the candidate, and takes nothing older any more, nobody can know: so candidate
 * and identity are tried turn by turn, and the one that is welcomed first is the right one.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  /** Why the candidate's last attempt did not succeed; undefined when it is its turn. */
  #failed: Error | undefined;
  /** Attempts in a row, with the same, that found no hub. */
  #unseen = 0;
  /** The certificate that a hub takes for nothing but its renewal. */
  #expired = "";
  /** Nothing is asked for before: elapsed milliseconds. */
  #notBefore = 0;
  /** When the certificate is due, which is drawn once. */
  #due = { certificatePem: "", at: 0 };
  /** When the hub wants a certificate to be asked for: elapsed milliseconds; undefined when it is due as planned. */
  #wantedAt: number | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  readonly #wanted = new Bell();

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** Who to dial as; undefined before enrolment. Fails as `held` of the credentials does. */
  async next(): Promise<Turn | undefined> {
    const held = await this.#options.credentials.held();
    if (!held) return undefined;
    const { identity, candidate } = held;
    if (!candidate) return { identity, candidate: "none" };
    return this.#failed ? { identity, candidate: "other" } : { identity: candidate, candidate: "this" };
  }

  /**
   * The attempt ended and no hub had welcomed it. Where it found no hub at all, the same is tried at each address before the other has
   * its turn: else each of two would for ever meet the one of two addresses that does not help it.
   */
  refused({ identity, candidate }: Turn, end: End, reached: Reached): void {
    if (reached === "nowhere" && ++this.#unseen < identity.lineAddresses.length) return;
    this.#unseen = 0;
    if (end.how === "rejected" && end.reject.retryable) {
      if (end.reject.code === RejectCode.EXPIRED) this.#expired = identity.certificatePem;
      return; // The same again: nothing is said of its certificate, or that it is good for its renewal.
    }
    if (end.how === "rejected") this.#expired = "";
    this.#failed = candidate === "this" ? whyOf(end) : undefined;
  }

  /** A hub welcomed it: a candidate is the identity now, and one that was not welcomed is given up. Never rejects. */
  async welcomed(turn: Turn): Promise<void> {
    try {
      await this.#settle(turn);
    } catch (error) {
      // The candidate is on disk, and is tried again by the next start.
      this.#options.log.error({ error }, "the new certificate could not take the place of the old one");
    }
  }

  async #settle({ identity, candidate }: Turn): Promise<void> {
    const { credentials } = this.#options;
    const why = this.#failed;
    this.#failed = undefined;
    this.#unseen = 0;
    this.#expired = "";
    if (candidate === "none") return;
    this.#pause(identity);
    if (candidate === "this") {
      await credentials.commit(identity);
      this.#tell(IdentityChangeKind.RENEWED, identity, "its certificate was renewed");
    } else {
      await credentials.drop();
      this.#tell(IdentityChangeKind.RENEWAL_FAILED, identity, `the new one was not let in: ${why?.message}`);
    }
  }

  /** Whether the hub said that this certificate is good for nothing but its renewal. */
  mustComeFirst({ identity }: Turn): boolean {
    return this.#expired !== "" && identity.certificatePem === this.#expired;
  }

  /** When the certificate is due, by the hub's clock: wall time in milliseconds. */
  dueAt({ certificatePem }: Identity): number {
    if (this.#due.certificatePem !== certificatePem) {
      const { issuedAt, expiresAt } = lifeOf(certificatePem);
      this.#due = { certificatePem, at: renewalAt(issuedAt, expiresAt, this.#options.random) };
    }
    return this.#due.at;
  }

  /** The hub has a certificate for this node before its own is due: it is asked for within this time. */
  wanted(spreadMs: number): void {
    const { clock, random } = this.#options;
    const at = clock.elapsed() + random() * Math.min(spreadMs, lookMs);
    this.#wantedAt = Math.max(at, this.#askedAt + wantedPaceMs);
    this.#wanted.ring();
  }

  /** Resolves when there is a candidate to come back with. A renewal that fails is told and tried again. */
  async keep(identity: Identity, ask: Ask, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#untilDue(identity, signal);
      this.#wantedAt = undefined;
      this.#askedAt = this.#options.clock.elapsed();
      try {
        const { keyPem, csrDer } = await this.#options.credentials.request();
        await this.#take(identity, keyPem, await ask(csrDer));
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        this.#pause(identity);
        this.#tell(IdentityChangeKind.RENEWAL_FAILED, identity, asFailure(thrown).message);
      }
    }
  }

  /** Asks before anything else, for a certificate that has expired. Rejects when there is no answer, or none to use. */
  async first(
    identity: Identity,
    ask: (csrDer: Uint8Array) => Promise<RenewalAnswer | Reject>,
  ): Promise<End> {
    const { keyPem, csrDer } = await this.#options.credentials.request();
    const answer = await ask(csrDer);
    if (answer.$typeName === "edge.v1.Reject") return { how: "rejected", reject: answer };
    await this.#take(identity, keyPem, answer);
    return { how: "renewed" };
  }

  async #take(
    identity: Identity,
    keyPem: string,
    { certificatePem, refusal, caPem }: RenewalAnswer,
  ): Promise<void> {
    if (refusal) throw fromFailureMessage(refusal);
    await this.#options.credentials.propose(identity, { keyPem, certificatePem, caPem });
  }

  async #untilDue(identity: Identity, signal: AbortSignal): Promise<void> {
    const { clock, hubNow } = this.#options;
    for (;;) {
      const plannedMs = Math.max(this.dueAt(identity) - hubNow(), this.#notBefore - clock.elapsed());
      const waitMs = this.#wantedAt === undefined ? plannedMs : this.#wantedAt - clock.elapsed();
      if (waitMs <= 0) return;
      const woken = new AbortController();
      const stop = AbortSignal.any([signal, woken.signal]);
      const over = clock.sleep(Math.min(waitMs, lookMs), stop).catch(() => {});
      await Promise.race([over, this.#wanted.wait(stop).catch(() => {})]);
      woken.abort();
      signal.throwIfAborted();
    }
  }

  #pause({ certificatePem }: Identity): void {
    const { clock, hubNow, random } = this.#options;
    const leftMs = lifeOf(certificatePem).expiresAt - hubNow();
    this.#notBefore = clock.elapsed() + retryRenewalMs(leftMs, random);
  }

  #tell(kind: IdentityChangeKind, { certificatePem }: Identity, reason: string): void {
    const { journal, log } = this.#options;
    const { serial, expiresAt } = lifeOf(certificatePem);
    const value = create(IdentityChangeSchema, { kind, serial, expiresAt: timestampFromMs(expiresAt) });
    const renewed = kind === IdentityChangeKind.RENEWED;
    log[renewed ? "info" : "warn"]({ serial, reason }, renewed ? "certificate renewed" : "renewal failed");
    try {
      journal.record({ case: "identity", value }, { reason });
    } catch (error) {
      log.error({ error }, "the event could not be written");
    }
  }
}

function lifeOf(certificatePem: string) {
  const { serialNumber, validFromDate, validToDate } = new X509Certificate(certificatePem);
  return { serial: serialNumber, issuedAt: validFromDate.getTime(), expiresAt: validToDate.getTime() };
}
