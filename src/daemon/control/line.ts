import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Hello, HelloSchema } from "../../../gen/edge/v1/control_pb.ts";
import { Changes } from "../../base/changes.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { capabilities } from "../../wire/commands.ts";
import { protocol } from "../../wire/limits.ts";
import type { Identity } from "../identity/index.ts";
import { dial } from "./dial.ts";
import type { Sources } from "./outbox.ts";
import { type Attempt, type End, failuresAfter, pauseMs, whyOf } from "./plan.ts";
import { holdSession } from "./session.ts";
import type { LineState } from "./state.ts";
import { nextEpoch } from "./store.ts";

export interface LineOptions extends Sources {
  sql: Sql;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Who this node is, read anew at each attempt; undefined until it is enrolled. */
  identity: () => Promise<Identity | undefined>;
  statusChanges: Changes;
  /** Hash of all wishes, now. */
  wishesHash: () => string;
  /** Of this machine and this program. */
  about: { version: string; hostName: string; bootId: string; instanceId: string };
}

/** How often a node without an identity looks for one, in milliseconds. */
const lookMs = 1_000;

/** Keeps the line to the hub, for as long as the daemon lives. */
export class Line {
  /** Told when `state` changed. */
  readonly changes = new Changes();
  readonly #options: LineOptions;
  #state: LineState = { is: "not enrolled" };
  #hubOffsetMs: number | undefined;
  /** Attempts since the last Welcome. */
  #attempts = 0;

  constructor(options: LineOptions) {
    this.#options = options;
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
    const { clock, random, log } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const identity = await this.#identity(signal);
      if (!identity) return;
      const attempt = await this.#attempt(identity, failures, signal);
      if (signal.aborted) return;
      failures = failuresAfter(failures, attempt);
      const waitMs = pauseMs(attempt.end, failures, random);
      const why = whyOf(attempt.end);
      log.warn({ reason: why.message, attempt: this.#attempts, waitMs }, "the line is down");
      this.#become({ is: "down", why, attempt: this.#attempts, retryAt: clock.now() + waitMs });
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  /** Waits until there is an identity. One that cannot be read is an operator's to mend, and is looked at again. */
  async #identity(signal: AbortSignal): Promise<Identity | undefined> {
    const { identity, clock, log } = this.#options;
    let told = "";
    while (!signal.aborted) {
      let sentence = "this node is not enrolled: run `orchestrator daemon enroll --token ...`";
      try {
        const found = await identity();
        if (found) return found;
      } catch (thrown) {
        sentence = failureText(thrown);
      }
      if (told !== sentence) log.warn({ reason: sentence }, "there is no identity to connect with");
      told = sentence;
      await clock.sleep(lookMs, signal).catch(() => {});
    }
    return undefined;
  }

  async #attempt(identity: Identity, failures: number, signal: AbortSignal): Promise<Attempt> {
    const { clock, sql, log } = this.#options;
    const { lineAddresses } = identity;
    const address = lineAddresses[failures % lineAddresses.length] ?? "";
    this.#attempts++;
    this.#become({ is: "connecting", address, attempt: this.#attempts });
    let upAt: number | undefined;
    let end: End;
    try {
      const epoch = nextEpoch(sql);
      await using dialled = dial(address, identity);
      end = await holdSession(
        dialled.stream,
        {
          ...this.#options,
          hello: this.#hello(epoch),
          onHubTime: (offsetMs) => {
            this.#hubOffsetMs = offsetMs;
          },
          onWelcome: ({ sessionId, nodeId }) => {
            upAt = clock.elapsed();
            this.#attempts = 0;
            log.info({ address, session: sessionId, node: nodeId, epoch }, "the line is up");
            this.#become({ is: "up", address, sessionId, since: clock.now() });
          },
        },
        signal,
      );
    } catch (thrown) {
      // The epoch could not be written, or the identity's files make no TLS.
      end = { how: "lost", why: failure("unavailable", failureText(thrown), { cause: thrown }) };
    }
    return { end, upMs: upAt === undefined ? 0 : clock.elapsed() - upAt };
  }

  #hello(epoch: number): Hello {
    const { about, work, journal, clock, wishesHash } = this.#options;
    const { first, last } = journal.range();
    return create(HelloSchema, {
      protocolMin: protocol.min,
      protocolMax: protocol.max,
      daemonVersion: about.version,
      commands: capabilities.map((one) => one.case),
      bootId: about.bootId,
      sessionEpoch: BigInt(epoch),
      lastCommandSequence: BigInt(work.lastSequence),
      journalId: journal.id,
      journalFirstSequence: BigInt(first),
      journalLastSequence: BigInt(last),
      wishesHash: wishesHash(),
      attempt: this.#attempts,
      sentAt: timestampFromMs(clock.now()),
      hostName: about.hostName,
      instanceId: about.instanceId,
    });
  }

  #become(state: LineState): void {
    this.#state = state;
    this.changes.notify();
  }
}

function failureText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
