import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Command, CommandSchema, type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { type Caller, CallerSchema, Door } from "../../../gen/edge/v1/policy_pb.ts";
import type { Row, Schema, Sql } from "../../base/sql.ts";

export const schema: Schema = {
  room: "work",
  migrations: [
    `CREATE TABLE commands (
       arrival INTEGER PRIMARY KEY AUTOINCREMENT,
       id TEXT NOT NULL UNIQUE,
       from_hub INTEGER NOT NULL,
       command BLOB NOT NULL,
       used_ms INTEGER NOT NULL DEFAULT 0,
       result BLOB,
       report_sequence INTEGER NOT NULL DEFAULT 0,
       finished_at INTEGER
     ) STRICT;
     CREATE INDEX commands_unfinished ON commands (arrival) WHERE result IS NULL;
     CREATE TABLE commands_cursor (one INTEGER PRIMARY KEY CHECK (one = 1), last_sequence INTEGER NOT NULL) STRICT;
     INSERT INTO commands_cursor VALUES (1, 0);`,
    "ALTER TABLE commands ADD COLUMN caller BLOB;",
  ],
};

/** A command that was accepted. */
export interface Accepted {
  command: Command;
  /** Who asked first. */
  caller: Caller;
  /** Whether the hub sent it, and so gets its result through the journal. */
  fromHub: boolean;
  /** Part of its budget that earlier lives of the daemon used, in milliseconds, give or take ten seconds. */
  usedMs: number;
  result: Result | undefined;
  /** Where its result stands in the journal; 0 when it does not. */
  reportSequence: number;
}

/** Results are kept this long, so that a command that comes again gets the same answer. */
const keepMs = 7 * 24 * 3_600_000;
/** At most this many results are kept, in this many bytes with their commands; and at least some, so that a clock set to 2100 does not forget today's. */
const keep = { most: 10_000, least: 1_000, bytes: 256 << 20 };

/** The accepted commands, in the state file. Every function is on disk when it returns, or with the transaction around it. */
export class CommandStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The command of this id, if it is not forgotten. */
  get(id: string): Accepted | undefined {
    const row = this.#sql.get("SELECT * FROM commands WHERE id = ?", id);
    return row && toAccepted(row);
  }

  /** Commands without a result, in the order in which they arrived. */
  unfinished(): Accepted[] {
    return this.#sql.all("SELECT * FROM commands WHERE result IS NULL ORDER BY arrival").map(toAccepted);
  }

  add(command: Command, fromHub: boolean, caller: Caller): void {
    this.#sql.run(
      "INSERT INTO commands (id, from_hub, command, caller) VALUES (?, ?, ?, ?)",
      command.id,
      fromHub ? 1 : 0,
      toBinary(CommandSchema, command),
      toBinary(CallerSchema, caller),
    );
  }

  /** The hub asks for a command that came through another door first: from now on it gets the result. */
  nowFromHub(id: string): void {
    this.#sql.run("UPDATE commands SET from_hub = 1 WHERE id = ?", id);
  }

  /** Keeps the one result of a command. */
  finish(id: string, result: Result, reportSequence: number, now: number): void {
    const bytes = toBinary(ResultSchema, result);
    this.#sql.run(
      "UPDATE commands SET result = ?, report_sequence = ?, finished_at = ? WHERE id = ?",
      bytes,
      reportSequence,
      now,
      id,
    );
  }

  /** Notes where the result stands in the journal now. */
  reportedAgain(id: string, reportSequence: number): void {
    this.#sql.run("UPDATE commands SET report_sequence = ? WHERE id = ?", reportSequence, id);
  }

  /** Notes how much of its budget a command has used, in milliseconds. */
  used(id: string, usedMs: number): void {
    this.#sql.run("UPDATE commands SET used_ms = ? WHERE id = ?", Math.round(usedMs), id);
  }

  /** Highest sequence number of a command of the hub. */
  get lastSequence(): number {
    return Number(this.#sql.get("SELECT last_sequence FROM commands_cursor")?.last_sequence ?? 0);
  }

  set lastSequence(sequence: number) {
    this.#sql.run("UPDATE commands_cursor SET last_sequence = ?", sequence);
  }

  /** Forgets results that are old and many. Unfinished commands are never forgotten. */
  prune(now: number, { most, least, bytes } = keep): void {
    this.#sql.run(
      `DELETE FROM commands WHERE result IS NOT NULL AND (
         arrival <= (SELECT MAX(arrival) FROM commands) - ?
         OR (finished_at < ? AND arrival <= (SELECT MAX(arrival) FROM commands) - ?))`,
      most,
      now - keepMs,
      least,
    );
    this.#sql.run(
      `DELETE FROM commands WHERE result IS NOT NULL AND arrival <= (
         SELECT MAX(arrival) FROM (
           SELECT arrival, SUM(length(command) + COALESCE(length(result), 0)) OVER (ORDER BY arrival DESC) AS bytes
           FROM commands
         ) WHERE bytes > ?)`,
      bytes,
    );
  }
}

/** Who asks at a door, as the command says. */
export function callerOf(door: Door, { actor }: Pick<Command, "actor">): Caller {
  return create(CallerSchema, { door, actor });
}

function toAccepted(row: Row): Accepted {
  const { result, caller, from_hub, used_ms, report_sequence } = row;
  const command = fromBinary(CommandSchema, row.command as Uint8Array); // BLOB NOT NULL in a STRICT table.
  const fromHub = from_hub === 1;
  return {
    ...{ command, fromHub },
    caller:
      caller instanceof Uint8Array
        ? fromBinary(CallerSchema, caller)
        : callerOf(fromHub ? Door.HUB : Door.LOCAL, command), // An earlier version kept it.
    usedMs: Number(used_ms),
    result: result instanceof Uint8Array ? fromBinary(ResultSchema, result) : undefined,
    reportSequence: Number(report_sequence),
  };
}
