import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { abortOf } from "../../base/tasks.ts";
import { withoutPrefix } from "../../wire/subnet.ts";
import type { Place } from "../namespaces/index.ts";
import { type DhcpLease, leaseFrom } from "./lease.ts";
import { type Happening, type Known, type LeaseNews, learn } from "./news.ts";
import type { Told } from "./records.ts";
import { giveBack, releaseLease } from "./release.ts";
import { startUdhcpc, type Udhcpc } from "./udhcpc.ts";

export interface LeaseClientOptions {
  readonly place: Place;
  /** A link that is up, or will be. */
  readonly device: string;
  readonly mac: string;
  readonly hostName: string;
  /** Option 61, by which a server knows its client: in hex, its type first, such as `01:` and the MAC address. */
  readonly clientId: string;
  /** A lease from before, which is asked for again and goes on until it ends. */
  readonly known?: DhcpLease;
  /** Must be cheap and must not throw. Is not called once the client is disposed of or asked to release. */
  readonly onNews: (news: LeaseNews) => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Longest pauses before udhcpc is started again; one that ran for a while begins anew with the shortest. */
const pauseMs = { firstMs: 200, lastMs: 5_000 };
const stableMs = 10_000;
/** For how long a lease that the server refused goes on, for the answer that replaces it, be it slow: one change and not a gap. */
const graceMs = 3_000;

/**
 * Keeps a lease for one link. udhcpc talks with the servers and is replaced at will, when it died as when the LAN may be
 * another one; the lease is kept here, and ends when its own time ends or a server takes it back, whatever udhcpc makes of it.
 */
export class LeaseClient implements AsyncDisposable {
  readonly #options: LeaseClientOptions;
  readonly #log: Logger;
  readonly #running: Promise<void>;
  #known: Known;
  /** Asked for again also after it was lost: a server gives it if it can. */
  #address: string | undefined;
  #udhcpc: Udhcpc | undefined;
  /** Ends the present udhcpc, for the next. */
  #replaced = new AbortController();
  #ending = new AbortController();
  #isOver = false;

  static start(options: LeaseClientOptions): LeaseClient {
    return new LeaseClient(options);
  }

  private constructor(options: LeaseClientOptions) {
    const { known, clock, device, mac } = options;
    this.#options = options;
    this.#log = options.log.child({ device, mac });
    this.#known = known ? { lease: known } : {};
    this.#address = known && withoutPrefix(known.address);
    // What the wall clock says of the time away is believed, but never for longer than the lease was given.
    if (known) this.#endIn(Math.min(known.expiresAt - clock.now(), known.leaseSeconds * 1_000), known);
    this.#running = this.#run();
  }

  /** The LAN may be another one, because of `reason`: asks at once for the same address, keeping the lease until an answer. */
  askAgain(reason: string): void {
    if (this.#isOver) return; // A release may be on its way.
    this.#known = { ...this.#known, why: reason };
    this.#replaced.abort();
  }

  /**
   * Gives the lease back and ends, also when it fails. The link must still be there; it has no address of the lease afterwards.
   * @throws {Failure} as `releaseLease`.
   */
  async release(signal: AbortSignal): Promise<void> {
    const { lease } = this.#known;
    const release = lease && { ...this.#options, lease, signal };
    this.#isOver = true;
    try {
      if (release && this.#udhcpc?.isBound) return await giveBack(this.#udhcpc, release);
      await this[Symbol.asyncDispose]();
      if (release) await releaseLease(release);
    } finally {
      await this[Symbol.asyncDispose]();
    }
  }

  /** Ends without a word to the server. Nothing of it is left then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#ending.abort();
    this.#replaced.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    for (let attempt = 1; !this.#isOver; attempt++) {
      this.#replaced = new AbortController();
      const { signal } = this.#replaced;
      const startedAt = clock.elapsed();
      const error = await this.#ask(signal);
      if (this.#isOver) return;
      if (signal.aborted) {
        attempt = 0;
        continue;
      }
      if (clock.elapsed() - startedAt >= stableMs) attempt = 1;
      // A link that is not there ends it again and again.
      this.#log[attempt === 1 ? "warn" : "debug"]({ error }, "the DHCP client ended and is started again");
      await clock.sleep(backoffMs(attempt, { ...pauseMs, random }), signal).catch(() => {});
    }
  }

  /** Until udhcpc ends by itself, or is to. */
  async #ask(signal: AbortSignal): Promise<unknown> {
    await using udhcpc = startUdhcpc(
      { ...this.#options, address: this.#address },
      {
        onTold: (told) => signal.aborted || this.#hear(told),
        onSaid: (said) => this.#log.debug({ said }, "udhcpc said"),
      },
    );
    this.#udhcpc = udhcpc;
    using replaced = abortOf(signal);
    return await Promise.race([udhcpc.ended, replaced.promise]);
  }

  /**
   * udhcpc's `deconfig` is no loss: it says so when it begins, and gives a lease up well before its time. A refusal comes by
   * name, and the end by the clock.
   */
  #hear({ event, values }: Told): void {
    const { lease, isRefused } = this.#known;
    if (event === "bound" || event === "renew") this.#given(values);
    else if (event === "leasefail") this.#learn({ kind: "unanswered" });
    else if (event === "nak" && lease && !isRefused) this.#refused(lease);
  }

  #given(values: ReadonlyMap<string, string>): void {
    const lease = leaseFrom(values, this.#options.clock.now());
    if (lease) {
      this.#address = withoutPrefix(lease.address);
      this.#endIn(lease.leaseSeconds * 1_000, lease);
      this.#learn({ kind: "given", lease });
    } else {
      this.#log.warn({ address: values.get("ip") }, "a DHCP server gave what is no address of a station");
    }
  }

  /** Asks anew at once, and without the address; udhcpc by itself would wait for 3 s. */
  #refused(lease: DhcpLease): void {
    this.#address = undefined;
    this.#endIn(graceMs, lease);
    this.#learn({ kind: "refused" });
    this.askAgain("the server took the old one back");
  }

  #learn(happening: Happening): void {
    if (this.#isOver) return;
    const { known, news } = learn(this.#known, happening);
    this.#known = known;
    if (news) this.#options.onNews(news);
  }

  /** Counts the time of a lease anew, by a clock that nobody sets. */
  #endIn(forMs: number, { leaseSeconds }: DhcpLease): void {
    const leftMs = Math.max(forMs, 0);
    this.#ending.abort();
    this.#ending = new AbortController();
    const lastMs = Math.min(leftMs, (leaseSeconds * 1_000) / 8);
    const end = async ({ signal }: AbortController) => {
      await this.#options.clock.sleep(leftMs - lastMs, signal);
      // It should have renewed it by now, or have said that nobody answers.
      if (leftMs > lastMs && !this.#known.isSilent) this.askAgain("it was not renewed in time");
      await this.#options.clock.sleep(lastMs, signal);
      this.#learn({ kind: "ended" });
    };
    end(this.#ending).catch(() => {}); // The lease goes on, or the client ended.
  }
}
