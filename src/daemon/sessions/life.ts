import { create } from "@bufbuild/protobuf";
import { SessionChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { SessionState } from "../../../gen/edge/v1/sessions_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import { KeptTime } from "./kept-time.ts";
import type { SessionSettings } from "./session-settings.ts";
import { reasonOf, type Standing, standing } from "./standing.ts";
import type { Kept, SessionStore } from "./store.ts";

export interface LifeOptions {
  sql: Sql;
  journal: Pick<Journal, "record">;
  clock: Clock;
  log: Logger;
  settings: SessionSettings;
  /** Whether a task is not finished yet. */
  isRunning: (taskId: string) => boolean;
}

/** Of closed sessions so many are kept to be read, and so much; the oldest are forgotten. The state file is checked at each start. */
const keep = { sessions: 1_000, bytes: 16 << 20 };

/** The time is noted so often, in milliseconds: what a crash leaves to the wall clock at most. */
const noteMs = 60_000;

/** Between two tries to write what the disk does not take, in milliseconds. */
const retryMs = 5_000;

/** Brings sessions from state to state: when it is time, when they are looked at, and when somebody says so. */
export class Life {
  /** The next thing may be due earlier than was thought. */
  readonly changes = new Changes();
  readonly #options: LifeOptions;
  readonly #store: SessionStore;
  readonly #time: KeptTime;
  /** Tasks that used a session in this life of the daemon. */
  readonly #users = new Map<string, Set<string>>();
  #settings: SessionSettings;

  constructor(options: LifeOptions, store: SessionStore) {
    this.#options = options;
    this.#store = store;
    this.#settings = options.settings;
    this.#time = new KeptTime(options.sql, options.clock);
  }

  get settings(): SessionSettings {
    return this.#settings;
  }

  set settings(settings: SessionSettings) {
    this.#settings = settings;
    this.changes.notify();
  }

  /** The moment by which is decided, in milliseconds of kept time. */
  now(): number {
    return this.#time.now();
  }

  /** After how long an open session is closed if nothing comes, in milliseconds. */
  leftMs(one: Kept): number {
    return this.#timeoutMs(one) - (this.#time.now() - one.activeMs);
  }

  /** A task uses a session: while it runs, the session closes slowly. */
  use(id: string, taskId: string): void {
    const before = [...(this.#users.get(id) ?? [])].filter(this.#options.isRunning);
    this.#users.set(id, new Set(before).add(taskId));
  }

  /** Writes a session, and tells the state that it came into. */
  write(one: Kept, commandId: string): void {
    const { id, agent, state, reason } = one;
    this.#store.put(one);
    const value = create(SessionChangeSchema, { id, agent, state });
    this.#options.journal.record({ case: "session", value }, { reason, commandId });
  }

  /** A session as it is now. What became of it is written and told before this returns. */
  settled(one: Kept, commandId = ""): Kept {
    if (one.closedAt !== undefined) return one;
    const { state } = this.#standing(one);
    if (state === one.state) return one;
    const isEnding = state === SessionState.CLOSING || state === SessionState.CLOSED;
    const rules = { idleAfterMs: this.settings.idleAfterMs, timeoutMs: this.#timeoutMs(one) };
    const next: Kept = {
      ...{ ...one, state },
      reason: one.closingMs === undefined ? reasonOf(state, rules) : one.reason,
      closingMs: isEnding ? (one.closingMs ?? this.#time.now()) : undefined,
      closedAt: state === SessionState.CLOSED ? this.#options.clock.now() : undefined,
    };
    this.write(next, commandId);
    if (state === SessionState.CLOSED) {
      this.#users.delete(one.id);
      this.#store.prune(keep);
    }
    return next;
  }

  /** The same for all that are open. @returns after how long the next one may be due, in milliseconds. */
  settleAll(): number {
    const open = this.#store.open().map((one) => this.settled(one));
    return Math.min(
      ...open.filter((one) => one.closedAt === undefined).map((one) => this.#standing(one).nextMs),
    );
  }

  /** Settles all whenever something is due, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, sql } = this.#options;
    while (!signal.aborted) {
      const wake = new AbortController();
      const stop = this.changes.listen(() => wake.abort());
      let nextMs = retryMs;
      try {
        nextMs = sql.transaction(() => this.settleAll());
        this.#time.note();
      } catch (error) {
        log.error({ error }, "sessions cannot be written; trying again");
      }
      await clock.sleep(Math.min(nextMs, noteMs), AbortSignal.any([signal, wake.signal])).catch(() => {});
      stop();
    }
  }

  #standing(one: Kept): Standing {
    const now = this.#time.now();
    return standing(
      {
        quietMs: now - one.activeMs,
        timeoutMs: this.#timeoutMs(one),
        closingMs: one.closingMs === undefined ? undefined : now - one.closingMs,
        isInUse: [...(this.#users.get(one.id) ?? [])].some(this.#options.isRunning),
      },
      this.settings,
    );
  }

  #timeoutMs({ timeoutMs }: Kept): number {
    return Math.min(timeoutMs || this.settings.timeoutMs, this.settings.timeoutMs);
  }
}
