import type { MessageRole, SessionState } from "../../../gen/edge/v1/sessions_pb.ts";
import type { Row, Schema, Sql } from "../../base/sql.ts";

/** Sessions, their messages, and where kept time stood. `..._at` is wall time for people, `..._ms` is kept time, by which is decided. */
export const schema: Schema = {
  room: "sessions",
  migrations: [
    `CREATE TABLE sessions (
       id TEXT PRIMARY KEY,
       agent TEXT NOT NULL,
       owner TEXT NOT NULL,
       title TEXT NOT NULL,
       labels TEXT NOT NULL,
       timeout_ms INTEGER NOT NULL,
       state INTEGER NOT NULL,
       reason TEXT NOT NULL,
       created_at INTEGER NOT NULL,
       active_at INTEGER NOT NULL,
       active_ms INTEGER NOT NULL,
       closing_ms INTEGER,
       closed_at INTEGER,
       messages INTEGER NOT NULL DEFAULT 0,
       size_bytes INTEGER NOT NULL DEFAULT 0
     ) STRICT;
     CREATE INDEX sessions_open ON sessions (id) WHERE closed_at IS NULL;
     CREATE TABLE session_messages (
       session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
       sequence INTEGER NOT NULL,
       at INTEGER NOT NULL,
       role INTEGER NOT NULL,
       content TEXT NOT NULL,
       tool TEXT NOT NULL,
       tool_call_id TEXT NOT NULL,
       task_id TEXT NOT NULL,
       command_id TEXT NOT NULL,
       PRIMARY KEY (session, sequence)
     ) STRICT;
     CREATE INDEX session_messages_by_command ON session_messages (command_id);
     CREATE TABLE sessions_time (
       one INTEGER PRIMARY KEY CHECK (one = 1),
       at_ms INTEGER NOT NULL,
       noted_at INTEGER NOT NULL
     ) STRICT;`,
  ],
};

/** A session as it is kept. Times as in the tables. */
export interface Kept {
  id: string;
  agent: string;
  owner: string;
  title: string;
  labels: readonly { key: string; value: string }[];
  timeoutMs: number;
  state: SessionState;
  reason: string;
  createdAt: number;
  activeAt: number;
  activeMs: number;
  closingMs: number | undefined;
  closedAt: number | undefined;
  messages: number;
  sizeBytes: number;
}

/** A message as it is kept. */
export interface KeptMessage {
  sequence: number;
  at: number;
  role: MessageRole;
  content: string;
  tool: string;
  toolCallId: string;
  taskId: string;
}

/** Which sessions are asked for. */
export interface Asked {
  agent: string;
  owner: string;
  states: readonly SessionState[];
  limit: number;
}

/** Sessions and messages in the state file. On disk when a method returns, or with the transaction around it. */
export class SessionStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get(id: string): Kept | undefined {
    const row = this.#sql.get("SELECT * FROM sessions WHERE id = ?", id);
    return row && toKept(row);
  }

  open(): Kept[] {
    return this.#sql.all("SELECT * FROM sessions WHERE closed_at IS NULL ORDER BY id").map(toKept);
  }

  /** Newest activity first. */
  list({ agent, owner, states, limit }: Asked): Kept[] {
    const rows = this.#sql.all(
      `SELECT * FROM sessions
         WHERE ? IN ('', agent) AND ? IN ('', owner) AND (? = '[]' OR state IN (SELECT value FROM json_each(?)))
         ORDER BY active_ms DESC, created_at DESC, id LIMIT ?`,
      ...[agent, owner, JSON.stringify(states), JSON.stringify(states), limit],
    );
    return rows.map(toKept);
  }

  /** Writes a session as it is now. */
  put(one: Kept): void {
    this.#sql.run(
      `INSERT INTO sessions (id, agent, owner, title, labels, timeout_ms, state, reason, created_at, active_at, active_ms,
           closing_ms, closed_at, messages, size_bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, reason = excluded.reason, active_at = excluded.active_at,
           active_ms = excluded.active_ms, closing_ms = excluded.closing_ms, closed_at = excluded.closed_at,
           messages = excluded.messages, size_bytes = excluded.size_bytes`,
      ...[one.id, one.agent, one.owner, one.title, JSON.stringify(one.labels), one.timeoutMs, one.state],
      ...[one.reason, one.createdAt, one.activeAt, one.activeMs, one.closingMs ?? null, one.closedAt ?? null],
      ...[one.messages, one.sizeBytes],
    );
  }

  /** Whether a command added messages already. */
  hasAdded(session: string, commandId: string): boolean {
    const text = "SELECT 1 FROM session_messages WHERE command_id = ? AND session = ?";
    return this.#sql.get(text, commandId, session) !== undefined;
  }

  addMessage(session: string, message: KeptMessage, commandId: string): void {
    const { sequence, at, role, content, tool, toolCallId, taskId } = message;
    this.#sql.run(
      "INSERT INTO session_messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ...[session, sequence, at, role, content, tool, toolCallId, taskId, commandId],
    );
  }

  /** Messages after a place, oldest first; the first so many, or the newest so many. */
  messages(
    session: string,
    { after, limit, newest }: { after: number; limit: number; newest: boolean },
  ): KeptMessage[] {
    const rows = this.#sql.all(
      `SELECT * FROM session_messages WHERE session = ? AND sequence > ? ORDER BY sequence ${newest ? "DESC" : "ASC"} LIMIT ?`,
      ...[session, after, limit],
    );
    return (newest ? rows.reverse() : rows).map(toMessage);
  }

  remove(id: string): void {
    this.#sql.run("DELETE FROM sessions WHERE id = ?", id);
  }

  /** Forgets those that were closed first, until no more than so many and so much of closed ones is left. */
  prune({ sessions, bytes }: { sessions: number; bytes: number }): void {
    this.#sql.run(
      `DELETE FROM sessions WHERE id IN (
         SELECT id FROM (
           SELECT id, ROW_NUMBER() OVER newest AS place, SUM(size_bytes) OVER newest AS total
           FROM sessions WHERE closed_at IS NOT NULL
           WINDOW newest AS (ORDER BY active_ms DESC, id ROWS UNBOUNDED PRECEDING)
         ) WHERE place > ? OR total > ?)`,
      ...[sessions, bytes],
    );
  }
}

function toKept(row: Row): Kept {
  return {
    id: String(row.id),
    agent: String(row.agent),
    owner: String(row.owner),
    title: String(row.title),
    labels: JSON.parse(String(row.labels)) as Kept["labels"], // Written by `put`.
    timeoutMs: Number(row.timeout_ms),
    state: Number(row.state) as SessionState, // Likewise.
    reason: String(row.reason),
    createdAt: Number(row.created_at),
    activeAt: Number(row.active_at),
    activeMs: Number(row.active_ms),
    closingMs: row.closing_ms === null ? undefined : Number(row.closing_ms),
    closedAt: row.closed_at === null ? undefined : Number(row.closed_at),
    messages: Number(row.messages),
    sizeBytes: Number(row.size_bytes),
  };
}

function toMessage(row: Row): KeptMessage {
  return {
    sequence: Number(row.sequence),
    at: Number(row.at),
    role: Number(row.role) as MessageRole, // Likewise.
    content: String(row.content),
    tool: String(row.tool),
    toolCallId: String(row.tool_call_id),
    taskId: String(row.task_id),
  };
}
