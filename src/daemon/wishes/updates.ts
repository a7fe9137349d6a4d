import { fromJson, toJson } from "@bufbuild/protobuf";
import { type FieldChange, FieldChangeSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import { toFailure, toText } from "./rows.ts";

/** What became of an update. */
export interface Update {
  changes: FieldChange[];
  /** Whether its program was stopped, or stopped and started. */
  interrupted: boolean;
  isOver: boolean;
  /** Why it was rolled back, or came to nothing. */
  failure: Failure | undefined;
}

/** The tables of updates: a command that is taken up again after a crash goes on where it was, and gets the same answer. */
export const updatesMigration = `
  ALTER TABLE runtimes ADD COLUMN made_hash TEXT NOT NULL DEFAULT '';
  UPDATE runtimes SET made_hash = spec_hash;
  ALTER TABLE runtimes ADD COLUMN probation TEXT NOT NULL DEFAULT '';
  ALTER TABLE runtimes ADD COLUMN probation_used_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runtimes ADD COLUMN untold TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE runtimes ADD COLUMN old_volumes TEXT NOT NULL DEFAULT '[]';
  CREATE TABLE runtimes_updates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    command_id TEXT NOT NULL,
    name TEXT NOT NULL,
    changes TEXT NOT NULL,
    interrupted INTEGER NOT NULL,
    is_over INTEGER NOT NULL,
    failure TEXT NOT NULL,
    UNIQUE (command_id, name)
  ) STRICT;`;

/** More updates than anybody asks about again. */
const kept = 1000;

/** The updates that commands began, and how they ended. */
export class Updates {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The update of a runtime by a command: one command may update many. */
  by(commandId: string, name: string): Update | undefined {
    const row = this.#sql.get(
      "SELECT * FROM runtimes_updates WHERE command_id = ? AND name = ?",
      commandId,
      name,
    );
    return (
      row && {
        changes: (JSON.parse(String(row.changes)) as []).map((one) => fromJson(FieldChangeSchema, one)), // `begin` wrote it.
        interrupted: row.interrupted === 1,
        isOver: row.is_over === 1,
        failure: toFailure(String(row.failure)),
      }
    );
  }

  begin(commandId: string, name: string, { changes, interrupted, isOver }: Omit<Update, "failure">): void {
    this.#sql.run(
      `INSERT INTO runtimes_updates (command_id, name, changes, interrupted, is_over, failure)
       VALUES (?, ?, ?, ?, ?, '')`,
      ...[commandId, name, JSON.stringify(changes.map((one) => toJson(FieldChangeSchema, one)))],
      ...[Number(interrupted), Number(isOver)],
    );
    this.#sql.run(
      "DELETE FROM runtimes_updates WHERE id <= (SELECT MAX(id) FROM runtimes_updates) - ?",
      kept,
    );
  }

  /** It is over: well, or with a failure. */
  end(commandId: string, name: string, failure?: Failure): void {
    this.#sql.run(
      "UPDATE runtimes_updates SET is_over = 1, failure = ? WHERE command_id = ? AND name = ?",
      ...[toText(failure), commandId, name],
    );
  }
}
