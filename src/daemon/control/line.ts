import { RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import type { DecommissionRequest } from "../../../gen/edge/v1/node_pb.ts";
import { Changes } from "../../base/changes.ts";
import { asFailure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { aborted } from "../../base/tasks.ts";
import type { Credentials, Identity } from "../identity/index.ts";
import { type Dial, dialBy } from "./dial.ts";
import { lineFacts } from "./facts.ts";
import { askFirst } from "./first.ts";
import { helloOf, type Speaker } from "./hello.ts";
import { lostBecause } from "./lost.ts";
import { type Attempt, type End, failuresAfter, pauseMs, whyOf } from "./plan.ts";
import { Renewal, type Turn } from "./renewal.ts";
import { firstRoute, nextRoute, type Reached, reachedBy } from "./route.ts";
import { holdSession } from "./session.ts";
import { type LineState, reasonOf } from "./state.ts";
import { nextEpoch } from "./store.ts";

export interface LineOptions extends Speaker {
  sql: Sql;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Who this node is, read anew at each attempt. */
  credentials: Credentials;
  /** What was read of it when the daemon started. */
  identity?: Identity | undefined;
  /** How the node leaves its hub. */
  leaving: Leaving;
  statusChanges: Changes;
  /** Opens a stream to the hub; over TLS, and through no proxy, when absent. */
  dial?: Dial;
}

/** An attempt, and how far it came. */
type Tried = Attempt & { reached: Reached };

/** A node's way out of service, as far as the line takes part in it. */
export interface Leaving {
  /** Aborted when the node is to hang up and to forget who it is. Another one after `leave`. */
  readonly parting: AbortSignal;
  /** Forgets who the node is. Rejects when the disk does not take it. */
  leave(): Promise<void>;
  /** The hub took the node out of service while it was away: does its half, and then wants to part. */
  ordered(order: DecommissionRequest, signal: AbortSignal): Promise<void>;
}

/** A clock that is off by this much, in milliseconds, is worth a word. */
const wrongMs = 5 * 60_000;
/** How often a node looks for an identity that has none, or none that a hub takes, in milliseconds. */
const lookMs = 1_000;
/** Between two tries to forget an identity on a disk that does not take it, in milliseconds. */
const forgetMs = 5_000;

/** Keeps the line to the hub, for as long as the daemon lives. */
export class Line {
  /** Told when `state` changed. */
  readonly changes = new Changes();
  readonly #options: LineOptions;
  #state: LineState = { is: "not enrolled" };
  #hubOffsetMs: number | undefined;
  /** Attempts since the last Welcome. */
  #attempts = 0;
  readonly #renewal: Renewal;
  #identity: Identity | undefined;
  #hubRenews = false;
  #route = firstRoute;
  /** The session that takes the place of the present one, from its dialling on. */
  #heir: { turn: Turn; attempt: Promise<Tried> } | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#identity = options.identity;
    const hubNow = () => options.clock.now() + (this.#hubOffsetMs ?? 0);
    this.#renewal = new Renewal({ ...options, hubNow });
  }

  /** Who this node is, or was at the last attempt; undefined when it is nobody. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** When the node asks for its next certificate; undefined while no hub that issues one is connected. */
  get renewsAt(): number | undefined {
    if (this.#state.is !== "up" || !this.#hubRenews || !this.#identity) return undefined;
    return this.#renewal.dueAt(this.#identity);
  }

  get state(): LineState {
    return this.#state;
  }

  /** Hub time minus node time in milliseconds, as last heard. */
  get hubOffsetMs(): number | undefined {
    return this.#hubOffsetMs;
  }

  /** Connects and stays connected until the signal is aborted. Whatever the hub does, this goes on. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log, leaving } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      if (leaving.parting.aborted) await this.#leave(signal);
      const stop = AbortSignal.any([signal, leaving.parting]);
      const heir = this.#heir;
      this.#heir = undefined;
      const turn = heir?.turn ?? (await this.#turn(stop));
      if (!turn || stop.aborted) continue;
      this.#identity = turn.identity;
      const attempt = await (heir?.attempt ?? this.#attempt(turn, stop));
      if (stop.aborted) await this.#abandoned();
      if (stop.aborted || this.#heir) continue;
      const { upMs } = attempt;
      const count = turn.identity.lineAddresses.length;
      this.#route = nextRoute(this.#route, attempt, { count, now: clock.elapsed() });
      const end = await this.#obeyed(attempt.end, stop);
      if (stop.aborted) continue;
      if (upMs === 0) this.#renewal.refused(turn, end, attempt.reached);
      if (end.how === "renewed") continue;
      failures = failuresAfter(failures, attempt);
      const why = whyOf(end);
      // With another certificate to try, no refusal is the last word.
      const isFinal = end.how !== "rejected" || end.reject.retryable || turn.candidate === "none";
      const waitMs = pauseMs(isFinal ? end : { how: "lost", why }, failures, random);
      log.warn({ reason: why.message, attempt: this.#attempts, waitMs }, "the line is down");
      this.#become({ is: "down", why, attempt: this.#attempts, retryAt: clock.now() + waitMs });
      const isHopeless = isFinal && end.how === "rejected";
      const pause = isHopeless ? this.#untilAnew(turn, waitMs, stop) : clock.sleep(waitMs, stop);
      await pause.catch(() => {});
    }
  }

  /** Waits; for less when somebody gives the node another identity meanwhile, for he looks whether it helps. */
  async #untilAnew({ identity }: Turn, waitMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const end = clock.elapsed() + waitMs;
    for (let leftMs = waitMs; leftMs > 0; leftMs = end - clock.elapsed()) {
      await clock.sleep(Math.min(leftMs, lookMs), signal);
      const next = await this.#renewal.next();
      if (next?.identity.certificatePem !== identity.certificatePem) return;
    }
  }

  /** Forgets who the node is, and tries until the disk takes it. */
  async #leave(signal: AbortSignal): Promise<void> {
    const { clock, log, leaving } = this.#options;
    try {
      await leaving.leave();
      this.#identity = undefined;
      this.#become({ is: "not enrolled" });
    } catch (error) {
      log.error({ error }, "the identity could not be removed; it is tried again");
      await clock.sleep(forgetMs, signal).catch(() => {});
    }
  }

  /** Does what a hub orders that took the node out of service. A hub that merely does not know the node orders nothing. */
  async #obeyed(end: End, signal: AbortSignal): Promise<End> {
    if (end.how !== "rejected" || end.reject.code !== RejectCode.REMOVED) return end;
    const { decommission } = end.reject;
    if (!decommission) return end;
    try {
      await this.#options.leaving.ordered(decommission, signal);
      return end;
    } catch (thrown) {
      const { kind, message } = asFailure(thrown);
      return { how: "lost", why: failure(kind, `the hub took this node out of service: ${message}`) };
    }
  }

  /** Waits until there is an identity. One that cannot be read is an operator's to mend, and is looked at again. */
  async #turn(signal: AbortSignal): Promise<Turn | undefined> {
    const { clock, log } = this.#options;
    let told = "";
    while (!signal.aborted) {
      let sentence = "this node is not enrolled: run `orchestrator daemon enroll --token ...`";
      try {
        const found = await this.#renewal.next();
        if (found) return found;
        this.#identity = undefined;
      } catch (thrown) {
        sentence = failureText(thrown);
      }
      if (told !== sentence) log.warn({ reason: sentence }, "there is no identity to connect with");
      told = sentence;
      await clock.sleep(lookMs, signal).catch(() => {});
    }
    return undefined;
  }

  /**
   * Begins the next session with the candidate, while the present one goes on until `present` is aborted. Whether it was welcomed:
   * else nobody knows what the hub has seen, and candidate and identity are tried turn by turn.
   */
  async #handOver(signal: AbortSignal, present: AbortSignal): Promise<boolean> {
    const turn = await this.#renewal.next();
    if (turn?.candidate !== "this") return false;
    const welcomed = Promise.withResolvers<undefined>();
    const attempt = this.#attempt(turn, signal, () => welcomed.resolve(undefined));
    this.#heir = { turn, attempt };
    const failed = await Promise.race([attempt, welcomed.promise, aborted(present)]);
    if (!failed || present.aborted) return true;
    this.#heir = undefined;
    this.#renewal.refused(turn, failed.end, failed.reached);
    return false;
  }

  /** Waits until a session that was to take over has ended, too. */
  async #abandoned(): Promise<void> {
    await this.#heir?.attempt;
    this.#heir = undefined;
  }

  /** `onTakeOver` is given when the node's present session goes on meanwhile, and called when the new one was welcomed. */
  async #attempt(turn: Turn, signal: AbortSignal, onTakeOver?: () => void): Promise<Tried> {
    const { clock, sql, log, dial = dialBy({ env: {} }) } = this.#options;
    const { identity } = turn;
    const { index, transport } = this.#route;
    const address = identity.lineAddresses[index % identity.lineAddresses.length] ?? "";
    this.#attempts++;
    const [attempt, why] = [this.#attempts, reasonOf(this.#state)];
    if (!onTakeOver) this.#become({ is: "connecting", address, transport, attempt, why });
    let upAt: number | undefined;
    let isConnected = false;
    let end: End;
    let settled = Promise.resolve();
    try {
      const epoch = nextEpoch(sql);
      await using dialled = await dial(address, identity, { transport, signal });
      isConnected = true;
      end = this.#renewal.mustComeFirst(turn)
        ? await this.#renewal.first(identity, (csrDer) => askFirst(dialled.stream, csrDer, signal))
        : await holdSession(
            dialled.stream,
            {
              ...this.#options,
              renew: (ask, stop) => this.#renewal.keep(identity, ask, stop),
              onRenewalWanted: (spreadMs) => this.#renewal.wanted(spreadMs),
              handOver: (present) => this.#handOver(signal, present),
              hello: helloOf(this.#options, {
                ...{ epoch, identity, attempt: this.#attempts, takesOver: onTakeOver !== undefined },
              }),
              onHubTime: (offsetMs) => {
                this.#hubOffsetMs = offsetMs;
              },
              onWelcome: ({ sessionId, nodeId, renewsCertificates }) => {
                upAt = clock.elapsed();
                this.#identity = identity;
                this.#hubRenews = renewsCertificates;
                settled = this.#renewal.welcomed(turn);
                this.#attempts = 0;
                const { proxy } = dialled;
                const by = { address, transport, proxy };
                log.info({ ...by, session: sessionId, node: nodeId, epoch }, "the line is up");
                this.#tellClock();
                this.#become({ is: "up", ...by, sessionId, since: clock.now() });
                onTakeOver?.();
              },
            },
            signal,
          );
    } catch (thrown) {
      // There is no way, the epoch could not be written, or the identity's files make no TLS.
      end = { how: "lost", why: lostBecause(thrown) };
    }
    await settled;
    const reached = reachedBy(end, { isConnected, isUp: upAt !== undefined });
    return { end, reached, upMs: upAt === undefined ? 0 : clock.elapsed() - upAt };
  }

  /** The hub judges certificates by its time, and is asked for new ones by it: nothing else depends on this machine's. */
  #tellClock(): void {
    const offsetMs = this.#hubOffsetMs ?? 0;
    if (Math.abs(offsetMs) < wrongMs) return;
    this.#options.log.warn(
      { offsetMs },
      "this machine's clock is wrong: the line goes by the hub's; set the clock",
    );
  }

  #become(state: LineState): void {
    this.#state = state;
    lineFacts.tell(state);
    this.changes.notify();
  }
}

function failureText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
