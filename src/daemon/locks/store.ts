import type { Row, Schema, Sql } from "../../base/sql.ts";

/** The locks of operators: one of each for a runtime, over restarts of everything. Moments are wall time. */
export const schema: Schema = {
  room: "locks",
  migrations: [
    `CREATE TABLE locks (
       runtime TEXT NOT NULL,
       actor TEXT NOT NULL,
       reason TEXT NOT NULL,
       since INTEGER NOT NULL,
       until INTEGER,
       command_id TEXT NOT NULL,
       PRIMARY KEY (runtime, actor)
     ) STRICT`,
  ],
};

/** A lock by which an operator keeps others from touching a runtime. */
export interface OperatorLock {
  runtime: string;
  /** Who wants it, as in `operator/alice`. */
  actor: string;
  /** Why, in his words. */
  reason: string;
  /** Wall time in milliseconds since 1970. */
  since: number;
  /** When it runs out; undefined when it lasts until it is taken away. */
  until: number | undefined;
  /** The command that made it: carried out again, it makes no second one. */
  commandId: string;
}

/** Locks of operators. On disk when a method returns, or with the transaction around it. */
export class OperatorLocks {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  all(): OperatorLock[] {
    return this.#sql.all("SELECT * FROM locks ORDER BY runtime, since, actor").map(toLock);
  }

  of(runtime: string): OperatorLock[] {
    return this.#sql.all("SELECT * FROM locks WHERE runtime = ? ORDER BY since, actor", runtime).map(toLock);
  }

  /** Replaces an earlier one of the same operator. */
  put({ runtime, actor, reason, since, until, commandId }: OperatorLock): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO locks (runtime, actor, reason, since, until, command_id) VALUES (?, ?, ?, ?, ?, ?)",
      ...[runtime, actor, reason, since, until ?? null, commandId],
    );
  }

  remove({ runtime, actor }: Pick<OperatorLock, "runtime" | "actor">): void {
    this.#sql.run("DELETE FROM locks WHERE runtime = ? AND actor = ?", runtime, actor);
  }

  /** Forgets all of a runtime that is no more. */
  forget(runtime: string): void {
    this.#sql.run("DELETE FROM locks WHERE runtime = ?", runtime);
  }

  atomically<T>(work: () => T): T {
    return this.#sql.atomically(work);
  }
}

function toLock(row: Row): OperatorLock {
  return {
    runtime: String(row.runtime),
    actor: String(row.actor),
    reason: String(row.reason),
    since: Number(row.since),
    until: row.until === null ? undefined : Number(row.until),
    commandId: String(row.command_id),
  };
}
