import { equals } from "@bufbuild/protobuf";
import { type DeadLetter, type TopicFilter, TopicFilterSchema } from "../../../gen/edge/v1/topics_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import { bury, deadLetter } from "./dead-letters.ts";
import { Group, type Member } from "./group.ts";
import { GroupPlace } from "./group-place.ts";
import type { Log } from "./log.ts";
import type { JoinAsk, Subscribed } from "./subscription.ts";

const usual = { held: 16, settleMs: 30_000, attempts: 5 };
/** Groups that are remembered; with one more, the one that had no member for the longest time is forgotten. */
const limit = 1_000;

export interface GroupsOptions {
  sql: Sql;
  log: Log;
  clock: Clock;
  /** There is something to write. */
  changed(): void;
  /** Messages were gone before a group came to them. */
  missed(group: string, count: number): void;
}

/** The consumer groups of this node. In memory are those that had a member since the daemon started. */
export class Groups implements Disposable {
  readonly #options: GroupsOptions;
  readonly #groups = new Map<string, Group>();
  #dead: DeadLetter[] = [];

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  /**
   * Joins a group, which begins at the place that is asked for if it is new, and goes on where it is otherwise.
   * @throws {Failure} conflict: its members have other terms.
   */
  join(asked: JoinAsk): Subscribed {
    const ask = {
      ...asked,
      settleMs: asked.settleMs || usual.settleMs,
      attempts: asked.attempts || usual.attempts,
    };
    const group = this.#find(ask);
    checkTerms(group, ask);
    const member: Member = { ask, limit: ask.queueLimit || usual.held, held: 0 };
    group.join(member);
    let taken = 0;
    return {
      next: async (signal) => {
        const one = await group.next(member, signal);
        taken++;
        return { ...one, dropped: 0 };
      },
      standing: () => ({ ask, queued: member.held, queueLimit: member.limit, taken, dropped: 0 }),
      [Symbol.dispose]: () => group.leave(member),
    };
  }

  /** @throws {Failure} conflict: this task does not have the message. */
  settle(name: string, taskId: string, sequence: number, isDone: boolean): void {
    const group = this.#groups.get(name);
    if (!group) throw failure("conflict", `nobody subscribes to the group ${name}: subscribe first`);
    group.settle(taskId, sequence, isDone);
  }

  /** Tells all groups that something was published. */
  wake(): void {
    for (const group of this.#groups.values()) group.wake();
  }

  /** Writes what changed, within a transaction. Call what it returns when that is on disk. */
  write(): () => void {
    const { sql, clock } = this.#options;
    const now = clock.now();
    const saved: (() => void)[] = [];
    for (const group of this.#groups.values()) {
      const write = group.changes();
      if (write) saved.push(write.write(sql, now));
    }
    bury(sql, this.#dead);
    return () => {
      for (const isSaved of saved) isSaved();
      this.#dead = [];
    };
  }

  [Symbol.dispose](): void {
    for (const group of this.#groups.values()) group[Symbol.dispose]();
  }

  #find({ group: name, afterSequence }: JoinAsk): Group {
    const { sql, log, clock, changed, missed } = this.#options;
    const known = this.#groups.get(name);
    if (known) return known;
    const place = GroupPlace.find(sql, name);
    if (!place) this.#forgetOldest();
    const group: Group = new Group(
      name,
      place ?? GroupPlace.begin(name, Math.min(afterSequence ?? log.last, log.last)),
      {
        log,
        clock,
        on: {
          changed,
          missed: (count) => missed(name, count),
          dead: (message, attempts, reason) => {
            this.#dead.push(deadLetter({ message, group: name, attempts, reason }, clock.now()));
          },
        },
      },
    );
    this.#groups.set(name, group);
    changed();
    return group;
  }

  #forgetOldest(): void {
    const { sql } = this.#options;
    const rows = sql.all("SELECT name FROM topics_groups ORDER BY used_at");
    if (rows.length < limit) return;
    const idle = rows.map(({ name }) => String(name)).find((name) => !this.#groups.get(name)?.members.size);
    if (idle === undefined) throw failure("exhausted", `there are ${limit} groups, and all have members`);
    this.#groups.get(idle)?.[Symbol.dispose]();
    this.#groups.delete(idle);
    sql.run("DELETE FROM topics_groups WHERE name = ?", idle);
  }
}

function checkTerms(group: Group, ask: JoinAsk): void {
  const { terms } = group;
  if (!terms) return;
  if (
    sameFilter(terms.filter, ask.filter) &&
    terms.settleMs === ask.settleMs &&
    terms.attempts === ask.attempts
  )
    return;
  throw failure(
    "conflict",
    `the group ${group.name} has members with another filter, settle_ms or attempts: ask for the same, or choose another group`,
  );
}

function sameFilter(one: TopicFilter | undefined, other: TopicFilter | undefined): boolean {
  return one && other ? equals(TopicFilterSchema, one, other) : one === other;
}
