import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type TopicMessage, TopicMessageSchema } from "../../../gen/edge/v1/topics_pb.ts";
import type { Row, Schema, Sql } from "../../base/sql.ts";

/** The room's tables. A message leaves the log when there are too many; what a group did not deal with is kept by its place. */
export const schema: Schema = {
  room: "topics",
  migrations: [
    `CREATE TABLE topics_messages (
       sequence INTEGER PRIMARY KEY,
       message BLOB NOT NULL,
       command_id TEXT
     ) STRICT;
     CREATE UNIQUE INDEX topics_messages_by_command ON topics_messages (command_id) WHERE command_id IS NOT NULL;
     CREATE TABLE topics_journal (
       one INTEGER PRIMARY KEY CHECK (one = 1),
       journal_id TEXT NOT NULL,
       sequence INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE topics_groups (
       name TEXT PRIMARY KEY,
       place INTEGER NOT NULL,
       used_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE topics_given (
       group_name TEXT NOT NULL REFERENCES topics_groups (name) ON DELETE CASCADE,
       sequence INTEGER NOT NULL,
       attempts INTEGER NOT NULL,
       PRIMARY KEY (group_name, sequence)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE topics_dead_letters (
       id INTEGER PRIMARY KEY,
       group_name TEXT NOT NULL,
       letter BLOB NOT NULL
     ) STRICT;`,
  ],
};

/** How much of what was published is kept. */
export interface Kept {
  messages: number;
  bytes: number;
}

/** Room is made for this part of the limit at once, so that a full log does not pay for it with each message. */
const part = 0.02;

/** What was published, in order, on disk: the newest of it. */
export class Log {
  readonly #sql: Sql;
  readonly #kept: Kept;
  #held: Kept;
  #first: number;
  #last: number;

  constructor(sql: Sql, kept: Kept) {
    this.#sql = sql;
    this.#kept = kept;
    const row = sql.get(
      `SELECT MIN(sequence) AS first, MAX(sequence) AS last, COUNT(*) AS messages,
         COALESCE(SUM(length(message)), 0) AS bytes FROM topics_messages`,
    );
    this.#held = { messages: Number(row?.messages), bytes: Number(row?.bytes) };
    this.#last = Number(row?.last ?? 0);
    this.#first = Number(row?.first ?? 1);
  }

  /** The oldest place that is kept. */
  get first(): number {
    return this.#first;
  }

  /** The last place that is on disk; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /**
   * Writes messages, whose places follow `last`, and forgets the oldest ones when there are too many. Within a transaction; call
   * what it returns when that is on disk.
   */
  append(messages: readonly { message: TopicMessage; commandId?: string }[]): () => void {
    const held = { ...this.#held };
    for (const { message, commandId } of messages) {
      const bytes = toBinary(TopicMessageSchema, message);
      const values = [Number(message.sequence), bytes, commandId ?? null];
      this.#sql.run(
        "INSERT INTO topics_messages (sequence, message, command_id) VALUES (?, ?, ?)",
        ...values,
      );
      held.messages++;
      held.bytes += bytes.length;
    }
    const last = this.#last + messages.length;
    const first = this.#trim(held, last);
    return () => {
      this.#held = held;
      this.#last = last;
      this.#first = first;
    };
  }

  /** Messages after a place, oldest first. What cannot be read any more is left out. */
  after(place: number, limit: number): TopicMessage[] {
    const rows = this.#sql.all(
      "SELECT message FROM topics_messages WHERE sequence > ? ORDER BY sequence LIMIT ?",
      place,
      limit,
    );
    return rows.map(messageOf);
  }

  /** One message, if it is kept. */
  at(place: number): TopicMessage | undefined {
    const row = this.#sql.get("SELECT message FROM topics_messages WHERE sequence = ?", place);
    return row && messageOf(row);
  }

  /** The place of the message that a command published, if it did. */
  placeOfCommand(id: string): number | undefined {
    const row = this.#sql.get("SELECT sequence FROM topics_messages WHERE command_id = ?", id);
    return row && Number(row.sequence);
  }

  /** Changes `held` to what is left, and returns the oldest place of it. The newest message always stays: places never begin again. */
  #trim(held: Kept, last: number): number {
    const isOver = held.messages > this.#kept.messages || held.bytes > this.#kept.bytes;
    if (!isOver) return this.#first;
    const aim = { messages: this.#kept.messages * (1 - part), bytes: this.#kept.bytes * (1 - part) };
    let first = this.#first;
    while (first < last && (held.messages > aim.messages || held.bytes > aim.bytes)) {
      const rows = this.#sql.all(
        "SELECT sequence, length(message) AS bytes FROM topics_messages WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT 1000",
        first,
        last,
      );
      if (rows.length === 0) break;
      for (const { sequence, bytes } of rows) {
        if (held.messages <= aim.messages && held.bytes <= aim.bytes) break;
        first = Number(sequence) + 1;
        held.messages--;
        held.bytes -= Number(bytes);
      }
    }
    this.#sql.run("DELETE FROM topics_messages WHERE sequence < ?", first);
    return first;
  }
}

function messageOf({ message }: Row): TopicMessage {
  return fromBinary(TopicMessageSchema, message as Uint8Array); // BLOB NOT NULL in a STRICT table.
}
