import type { Row, Schema, Sql } from "../../base/sql.ts";

/** Of one number of an embedding. */
const bytesOfNumber = Float32Array.BYTES_PER_ELEMENT;

/** Memories, and what each group has of them. `folded` is the text without its case, to search in. */
export const schema: Schema = {
  room: "memory",
  migrations: [
    `CREATE TABLE memory_groups (
       name TEXT PRIMARY KEY,
       entries INTEGER NOT NULL,
       dimension INTEGER NOT NULL,
       size_bytes INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE memories (
       sequence INTEGER PRIMARY KEY AUTOINCREMENT,
       id TEXT NOT NULL UNIQUE,
       memory_group TEXT NOT NULL,
       at INTEGER NOT NULL,
       agent TEXT NOT NULL,
       task_id TEXT NOT NULL,
       attributes TEXT NOT NULL,
       size_bytes INTEGER NOT NULL,
       text TEXT NOT NULL,
       folded TEXT NOT NULL,
       embedding BLOB
     ) STRICT;
     CREATE INDEX memories_by_group ON memories (memory_group, sequence);`,
  ],
};

export type Attributes = readonly { key: string; value: string }[];

/** A memory as it is kept. */
export interface Kept {
  id: string;
  group: string;
  text: string;
  attributes: Attributes;
  /** Wall time in milliseconds since 1970. */
  at: number;
  agent: string;
  taskId: string;
}

/** What a group has. */
export interface Group {
  name: string;
  entries: number;
  /** Of its embeddings; 0 when none of its memories has one. */
  dimension: number;
  sizeBytes: number;
}

/** Which memories of a group are meant: those that meet all. */
export interface Filter {
  group: string;
  ids?: readonly string[];
  attributes?: Attributes;
  /** Without its case. */
  folded?: string;
  beforeMs?: number | undefined;
  isEmbedded?: boolean;
}

/** The memories of the node, in a file of their own. On disk when a method returns, or with the transaction around it. */
export class MemoryStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  atomically<T>(work: () => T): T {
    return this.#sql.atomically(work);
  }

  groups(): Group[] {
    return this.#sql.all("SELECT * FROM memory_groups ORDER BY name").map(toGroup);
  }

  group(name: string): Group {
    const row = this.#sql.get("SELECT * FROM memory_groups WHERE name = ?", name);
    return row ? toGroup(row) : { name, entries: 0, dimension: 0, sizeBytes: 0 };
  }

  /** How much all groups have together, in bytes. */
  get sizeBytes(): number {
    return Number(this.#sql.get("SELECT SUM(size_bytes) AS total FROM memory_groups")?.total ?? 0);
  }

  get(id: string): Kept | undefined {
    const row = this.#sql.get("SELECT * FROM memories WHERE id = ?", id);
    return row && toKept(row);
  }

  add(one: Kept, sizeBytes: number, embedding: Uint8Array | undefined): void {
    const pairs = JSON.stringify(one.attributes.map(({ key, value }) => [key, value]));
    this.#sql.run(
      `INSERT INTO memories (id, memory_group, at, agent, task_id, attributes, size_bytes, text, folded, embedding)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[one.id, one.group, one.at, one.agent, one.taskId, pairs, sizeBytes, one.text, fold(one.text)],
      embedding ?? null,
    );
    this.#sql.run(
      `INSERT INTO memory_groups (name, entries, dimension, size_bytes) VALUES (?, 1, ?, ?)
         ON CONFLICT (name) DO UPDATE SET entries = entries + 1, dimension = MAX(dimension, excluded.dimension),
           size_bytes = size_bytes + excluded.size_bytes`,
      ...[one.group, (embedding?.length ?? 0) / bytesOfNumber, sizeBytes],
    );
  }

  /** @returns how many were removed. */
  remove(filter: Filter): number {
    const { text, values } = conditions(filter);
    const { changes } = this.#sql.run(`DELETE FROM memories WHERE ${text}`, ...values);
    this.#countAnew(filter.group);
    return changes;
  }

  count(filter: Filter): number {
    const { text, values } = conditions(filter);
    return Number(this.#sql.get(`SELECT COUNT(*) AS many FROM memories WHERE ${text}`, ...values)?.many);
  }

  /** The newest, newest first. */
  *newest(filter: Filter, limit: number): Generator<{ one: Kept; similarity: number }> {
    const { text, values } = conditions(filter);
    const rows = this.#sql.all(
      `SELECT sequence, 0.0 AS similarity FROM memories WHERE ${text} ORDER BY sequence DESC LIMIT ?`,
      ...[...values, limit],
    );
    yield* this.#found(rows);
  }

  /** The nearest to an embedding, nearest first; of two that are as near, the newer one. */
  *nearest(
    embedding: Uint8Array,
    filter: Filter,
    limit: number,
  ): Generator<{ one: Kept; similarity: number }> {
    const { text, values } = conditions({ ...filter, isEmbedded: true });
    const rows = this.#sql.all(
      `SELECT sequence, 1 - vec_distance_cosine(embedding, ?) AS similarity FROM memories WHERE ${text}
         ORDER BY similarity DESC, sequence DESC LIMIT ?`,
      ...[embedding, ...values, limit],
    );
    yield* this.#found(rows);
  }

  *#found(rows: readonly Row[]): Generator<{ one: Kept; similarity: number }> {
    for (const { sequence, similarity } of rows) {
      const row = this.#sql.get("SELECT * FROM memories WHERE sequence = ?", Number(sequence));
      if (row) yield { one: toKept(row), similarity: Number(similarity) };
    }
  }

  #countAnew(group: string): void {
    this.#sql.run("DELETE FROM memory_groups WHERE name = ?", group);
    this.#sql.run(
      `INSERT INTO memory_groups (name, entries, dimension, size_bytes)
         SELECT memory_group, COUNT(*), COALESCE(MAX(length(embedding)), 0) / ?, SUM(size_bytes)
         FROM memories WHERE memory_group = ? GROUP BY memory_group`,
      ...[bytesOfNumber, group],
    );
  }
}

/** A text without its case. */
export function fold(text: string): string {
  return text.toLowerCase();
}

function conditions({ group, ids, attributes = [], folded = "", beforeMs, isEmbedded = false }: Filter): {
  text: string;
  values: (string | number)[];
} {
  const all: [string, ...(string | number)[]][] = [["memory_group = ?", group]];
  if (ids) all.push(["id IN (SELECT value FROM json_each(?))", JSON.stringify(ids)]);
  if (folded !== "") all.push(["instr(folded, ?) > 0", folded]);
  if (beforeMs !== undefined) all.push(["at < ?", beforeMs]);
  if (isEmbedded) all.push(["embedding IS NOT NULL"]);
  for (const { key, value } of attributes) {
    const has =
      "EXISTS (SELECT 1 FROM json_each(attributes) AS one WHERE one.value ->> 0 = ? AND one.value ->> 1 = ?)";
    all.push([has, key, value]);
  }
  return { text: all.map(([text]) => text).join(" AND "), values: all.flatMap(([, ...values]) => values) };
}

function toGroup({ name, entries, dimension, size_bytes }: Row): Group {
  return {
    name: String(name),
    entries: Number(entries),
    dimension: Number(dimension),
    sizeBytes: Number(size_bytes),
  };
}

function toKept(row: Row): Kept {
  const pairs = JSON.parse(String(row.attributes)) as [string, string][]; // Written by `add`.
  return {
    id: String(row.id),
    group: String(row.memory_group),
    text: String(row.text),
    attributes: pairs.map(([key, value]) => ({ key, value })),
    at: Number(row.at),
    agent: String(row.agent),
    taskId: String(row.task_id),
  };
}
