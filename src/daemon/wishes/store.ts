import { randomBytes } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";
import { profileVersion } from "./profile.ts";
import { columnOf, toColumn, toEnded, toText, toWish } from "./rows.ts";
import { Updates, updatesMigration } from "./updates.ts";
import type { Ended, Wish } from "./wish.ts";

/**
 * The room's tables. `runtimes_ended` remembers what was deleted or undone: a command that is taken up again after a crash
 * gets the same answer, and what the engine finished making after we had given up is recognised and removed.
 */
export const schema: Schema = {
  room: "runtimes",
  migrations: [
    `CREATE TABLE runtimes_node (one INTEGER PRIMARY KEY CHECK (one = 1), instance_id TEXT NOT NULL) STRICT;
     CREATE TABLE runtimes (
       name TEXT PRIMARY KEY,
       spec BLOB NOT NULL,
       spec_hash TEXT NOT NULL,
       desired TEXT NOT NULL CHECK (desired IN ('running', 'stopped', 'absent')),
       stage TEXT NOT NULL CHECK (stage IN ('creating', 'made', 'undoing')),
       command_id TEXT NOT NULL,
       acting_command_id TEXT NOT NULL,
       keep_volume INTEGER NOT NULL,
       created_at INTEGER NOT NULL,
       restarts INTEGER NOT NULL,
       restart_command_id TEXT NOT NULL,
       restart_of TEXT NOT NULL,
       container_id TEXT NOT NULL,
       started TEXT NOT NULL,
       ended TEXT NOT NULL,
       ended_by_itself INTEGER NOT NULL,
       exit_code INTEGER,
       removing TEXT NOT NULL,
       failure TEXT NOT NULL
     ) STRICT;
     CREATE TABLE runtimes_ended (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       name TEXT NOT NULL,
       command_id TEXT NOT NULL,
       keep_volume INTEGER NOT NULL,
       removed TEXT NOT NULL,
       failure TEXT NOT NULL
     ) STRICT;
     CREATE INDEX runtimes_ended_by_command ON runtimes_ended (command_id);
     CREATE INDEX runtimes_ended_by_name ON runtimes_ended (name);`,
    "ALTER TABLE runtimes ADD COLUMN oom_kills INTEGER NOT NULL DEFAULT 0",
    `ALTER TABLE runtimes ADD COLUMN image_id TEXT NOT NULL DEFAULT '';
     ALTER TABLE runtimes ADD COLUMN image_digest TEXT NOT NULL DEFAULT '';
     ALTER TABLE runtimes ADD COLUMN profile_version INTEGER NOT NULL DEFAULT 1;`,
    `ALTER TABLE runtimes ADD COLUMN ends_in_a_row INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE runtimes ADD COLUMN unhealthy_start TEXT NOT NULL DEFAULT '';
     ALTER TABLE runtimes ADD COLUMN health INTEGER NOT NULL DEFAULT 0;`,
    "ALTER TABLE runtimes ADD COLUMN answered INTEGER NOT NULL DEFAULT 0",
    updatesMigration,
  ],
};

/** More deletes than anybody asks about again. */
const endedKept = 1000;

/** Names a state file, so that two daemons on one engine know their own objects. Made at the first call. */
export function instanceIdOf(sql: Sql, first = randomBytes(16).toString("hex")): string {
  const row = sql.get("SELECT instance_id FROM runtimes_node");
  if (!row) sql.run("INSERT INTO runtimes_node (one, instance_id) VALUES (1, ?)", first);
  return row ? String(row.instance_id) : first;
}

/** The wishes of this node. Everything is on disk when a method returns, or with the surrounding transaction. */
export class Store {
  readonly #sql: Sql;
  /** Of this state file, so that two daemons on one engine know their own objects. */
  readonly instanceId: string;
  readonly updates: Updates;
  /**
   * Wishes as they are on the disk: taking one apart is most of what a look at a hundred would cost. A write drops its own, and
   * nothing is kept from within a transaction, which may be undone.
   */
  readonly #read = new Map<string, Readonly<Wish>>();

  constructor(sql: Sql, { instanceId }: { instanceId?: string } = {}) {
    this.#sql = sql;
    this.updates = new Updates(sql);
    this.instanceId = instanceIdOf(sql, instanceId);
  }

  /** All wishes, ordered by name. */
  list(): Wish[] {
    const names = this.#sql.all("SELECT name FROM runtimes ORDER BY name");
    return names.flatMap(({ name }) => this.get(String(name)) ?? []);
  }

  /** How many wishes there are. */
  get count(): number {
    return Number(this.#sql.get("SELECT COUNT(*) AS n FROM runtimes")?.n);
  }

  /** The wish of this name, if there is one. */
  get(name: string): Wish | undefined {
    const known = this.#read.get(name);
    if (known) return known;
    const row = this.#sql.get("SELECT * FROM runtimes WHERE name = ?", name);
    const wish = row && toWish(row);
    if (wish && !this.#sql.inTransaction) this.#read.set(name, wish);
    return wish;
  }

  /** Keeps a new wish, which is not made yet. */
  add(
    wish: Pick<Wish, "name" | "spec" | "specHash" | "commandId" | "createdAt"> &
      Partial<Pick<Wish, "desired">>,
  ): void {
    this.#sql.run(
      `INSERT INTO runtimes (
         name, spec, spec_hash, made_hash, command_id, acting_command_id, created_at, profile_version, desired, stage,
         keep_volume, restarts, restart_command_id, restart_of, container_id, started, ended, ended_by_itself, removing, failure
       ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'creating', 0, 0, '', '', '', '', '', 0, '[]', '')`,
      wish.name,
      toBinary(RuntimeSpecSchema, wish.spec),
      wish.specHash,
      wish.specHash,
      wish.commandId,
      wish.commandId,
      wish.createdAt,
      profileVersion,
      wish.desired ?? "running",
    );
  }

  /** Changes what is given and leaves the rest. */
  update(name: string, change: Partial<Omit<Wish, "name" | "commandId" | "createdAt">>): void {
    const columns = Object.entries(change).map(
      ([key, value]) => [columnOf(key), toColumn(key, value)] as const,
    );
    const text = columns.map(([column]) => `${column} = ?`).join(", ");
    if (text === "") return;
    this.#read.delete(name);
    this.#sql.run(`UPDATE runtimes SET ${text} WHERE name = ?`, ...columns.map(([, value]) => value), name);
  }

  /** Forgets a wish of which nothing is left, and remembers that it was there. */
  end(name: string, ended: Omit<Ended, "name">): void {
    this.#read.delete(name);
    this.#sql.run("DELETE FROM runtimes WHERE name = ?", name);
    this.#sql.run(
      "INSERT INTO runtimes_ended (name, command_id, keep_volume, removed, failure) VALUES (?, ?, ?, ?, ?)",
      name,
      ended.commandId,
      Number(ended.keepVolume),
      JSON.stringify(ended.removed),
      toText(ended.failure),
    );
    this.#sql.run(
      "DELETE FROM runtimes_ended WHERE id <= (SELECT MAX(id) FROM runtimes_ended) - ?",
      endedKept,
    );
  }

  /** How a command ended the runtime of this name, if it did: one command may end many. */
  endedBy(commandId: string, name: string): Ended | undefined {
    const row = this.#sql.get(
      "SELECT * FROM runtimes_ended WHERE command_id = ? AND name = ? ORDER BY id DESC",
      commandId,
      name,
    );
    return row && toEnded(row);
  }

  /** What a command deleted, by name. */
  deletedBy(commandId: string): Ended[] {
    return this.#sql
      .all("SELECT * FROM runtimes_ended WHERE command_id = ? AND failure = '' ORDER BY name", commandId)
      .map(toEnded);
  }

  /** The last end of a name, if it is remembered. */
  lastEndOf(name: string): Ended | undefined {
    const row = this.#sql.get("SELECT * FROM runtimes_ended WHERE name = ? ORDER BY id DESC", name);
    return row && toEnded(row);
  }

  /** All of `work` or nothing; within a surrounding transaction, with that one. */
  atomically<T>(work: () => T): T {
    return this.#sql.atomically(work);
  }
}
