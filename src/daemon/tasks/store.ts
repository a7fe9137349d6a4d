import { failure } from "../../base/failure.ts";
import type { Row, Schema, Sql } from "../../base/sql.ts";
import type { TaskRecord } from "./task.ts";
import { isFinal, mayFollow, type State } from "./transitions.ts";

export const schema: Schema = {
  room: "tasks",
  migrations: [
    `CREATE TABLE tasks (
       number INTEGER PRIMARY KEY AUTOINCREMENT,
       id TEXT NOT NULL UNIQUE,
       agent TEXT NOT NULL,
       state TEXT NOT NULL CHECK (state IN
         ('queued', 'starting', 'running', 'stopping', 'succeeded', 'failed', 'cancelled', 'timed_out')),
       is_final INTEGER NOT NULL,
       parent_id TEXT NOT NULL,
       root_id TEXT NOT NULL,
       spawn_key TEXT NOT NULL,
       cell_id TEXT NOT NULL,
       task TEXT NOT NULL
     ) STRICT;
     CREATE INDEX tasks_unfinished ON tasks (number) WHERE is_final = 0;
     CREATE INDEX tasks_with_cell ON tasks (number) WHERE is_final = 1 AND cell_id <> '';
     CREATE INDEX tasks_by_parent ON tasks (parent_id, number) WHERE parent_id <> '';
     CREATE TABLE task_blobs (
       task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
       kind TEXT NOT NULL CHECK (kind IN ('input', 'output', 'log')),
       bytes BLOB NOT NULL,
       PRIMARY KEY (task_id, kind)
     ) STRICT;`,
  ],
};

export type BlobKind = "input" | "output" | "log";

/** What of finished tasks is kept. */
export interface Kept {
  tasks: number;
  /** Of outputs and logs, and of the inputs of those that are not finished. */
  bytes: number;
}

/** Which tasks are listed. */
export interface Filter {
  agent: string;
  states: readonly State[];
  /** Only those below this one, at any depth. */
  belowId: string;
  beforeId: string;
  limit: number;
}

/** Tasks in the state file. Every function is on disk when it returns, or with the transaction around it. */
export class TaskStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Keeps a new task; @returns it with its number. */
  add(task: Omit<TaskRecord, "number">, input: Uint8Array): TaskRecord {
    const { id, agent, state, parentId, rootId, spawnKey } = task;
    const { lastId } = this.#sql.run(
      `INSERT INTO tasks (id, agent, state, is_final, parent_id, root_id, spawn_key, cell_id, task)
         VALUES (?, ?, ?, 0, ?, ?, ?, '', '')`,
      ...[id, agent, state, parentId, rootId, spawnKey],
    );
    const kept = { ...task, number: lastId };
    this.#sql.run("UPDATE tasks SET task = ? WHERE id = ?", JSON.stringify(kept), id);
    if (input.length > 0) this.putBlob(id, "input", input);
    return kept;
  }

  /**
   * Replaces a task that is in the state `from`. Whoever comes second finds another state there and changes nothing.
   * @throws {Failure} internal: it is not in that state, or may not come from there into its new one.
   */
  put(task: TaskRecord, from: State): void {
    const { id, state, cellId } = task;
    if (state !== from && !mayFollow(from, state)) {
      throw failure("internal", `a task that is ${from} cannot become ${state}`);
    }
    const { changes } = this.#sql.run(
      "UPDATE tasks SET state = ?, is_final = ?, cell_id = ?, task = ? WHERE id = ? AND state = ?",
      ...[state, isFinal(state) ? 1 : 0, cellId, JSON.stringify(task), id, from],
    );
    if (changes !== 1) throw failure("internal", `task ${id} is not ${from} any more`);
  }

  /** The task of this id. */
  get(id: string): TaskRecord | undefined {
    const row = this.#sql.get("SELECT task FROM tasks WHERE id = ?", id);
    return row && toTask(row);
  }

  /** Tasks whose ids begin so: two at most, since more than one is none. */
  beginningWith(beginning: string): TaskRecord[] {
    const text = "SELECT task FROM tasks WHERE substr(id, 1, ?) = ? LIMIT 2";
    return this.#sql.all(text, beginning.length, beginning).map(toTask);
  }

  /** Those that are not finished, oldest first. */
  unfinished(): TaskRecord[] {
    return this.#sql.all("SELECT task FROM tasks WHERE is_final = 0 ORDER BY number").map(toTask);
  }

  /** Those that are finished, and whose cell was not put away. */
  withCell(): TaskRecord[] {
    return this.#sql
      .all("SELECT task FROM tasks WHERE is_final = 1 AND cell_id <> '' ORDER BY number")
      .map(toTask);
  }

  /** Newest first. */
  list({ agent, states, belowId, beforeId, limit }: Filter): TaskRecord[] {
    const rows = this.#sql.all(
      `WITH RECURSIVE asked (agent, states, below_id, before_id) AS (VALUES (?, ?, ?, ?)),
       below (id) AS (
         SELECT id FROM tasks WHERE parent_id <> '' AND parent_id = (SELECT below_id FROM asked)
         UNION SELECT tasks.id FROM tasks JOIN below ON tasks.parent_id = below.id)
       SELECT task FROM tasks, asked
       WHERE (asked.agent = '' OR tasks.agent = asked.agent)
         AND (asked.states = '[]' OR tasks.state IN (SELECT value FROM json_each(asked.states)))
         AND (asked.below_id = '' OR tasks.id IN below)
         AND (asked.before_id = '' OR tasks.number < (SELECT number FROM tasks WHERE id = asked.before_id))
       ORDER BY tasks.number DESC LIMIT ?`,
      ...[agent, JSON.stringify(states), belowId, beforeId, limit],
    );
    return rows.map(toTask);
  }

  /** Children, oldest first. */
  children(parentId: string): TaskRecord[] {
    return this.#sql
      .all("SELECT task FROM tasks WHERE parent_id = ? AND parent_id <> '' ORDER BY number", parentId)
      .map(toTask);
  }

  /** How many there are or were below a task, at any depth. */
  countBelow(id: string): number {
    const row = this.#sql.get(
      `WITH RECURSIVE below (id) AS (
         SELECT id FROM tasks WHERE parent_id = ? UNION SELECT tasks.id FROM tasks JOIN below ON tasks.parent_id = below.id)
       SELECT COUNT(*) AS count FROM below`,
      id,
    );
    return Number(row?.count ?? 0);
  }

  blob(taskId: string, kind: BlobKind): Uint8Array {
    const row = this.#sql.get("SELECT bytes FROM task_blobs WHERE task_id = ? AND kind = ?", taskId, kind);
    return row ? (row.bytes as Uint8Array) : new Uint8Array(); // BLOB NOT NULL in a STRICT table.
  }

  putBlob(taskId: string, kind: BlobKind, bytes: Uint8Array): void {
    this.#sql.run("INSERT OR REPLACE INTO task_blobs VALUES (?, ?, ?)", taskId, kind, bytes);
  }

  dropBlob(taskId: string, kind: BlobKind): void {
    this.#sql.run("DELETE FROM task_blobs WHERE task_id = ? AND kind = ?", taskId, kind);
  }

  /** Forgets the oldest finished tasks. One of a tree that goes on stays, and one whose cell was not put away. */
  prune({ tasks, bytes }: Kept): void {
    const mayGo = `is_final = 1 AND cell_id = ''
      AND root_id NOT IN (SELECT root_id FROM tasks WHERE is_final = 0)`;
    this.#sql.run(
      `DELETE FROM tasks WHERE ${mayGo}
         AND number <= (SELECT number FROM tasks WHERE is_final = 1 ORDER BY number DESC LIMIT 1 OFFSET ?)`,
      tasks,
    );
    this.#sql.run(
      `DELETE FROM tasks WHERE ${mayGo} AND number <= (
         SELECT MAX(number) FROM (
           SELECT number, SUM((SELECT COALESCE(SUM(length(bytes)), 0) FROM task_blobs WHERE task_id = id))
             OVER (ORDER BY number DESC) AS bytes FROM tasks
         ) WHERE bytes > ?)`,
      bytes,
    );
  }
}

function toTask(row: Row): TaskRecord {
  return JSON.parse(String(row.task)) as TaskRecord; // Only this store writes it.
}
