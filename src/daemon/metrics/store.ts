import type { Row, Schema, Sql } from "../../base/sql.ts";
import { coarseMs, type Extent, type Resolution } from "./resolution.ts";
import { averaged, type Measured, newest, type Slot } from "./slots.ts";

const measures = [...averaged, ...newest];
const columnOf = (name: (typeof measures)[number]) =>
  name.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
const columns = measures.map(columnOf);

/**
 * Two tables: every sample, and the averages of five minutes. `ran_ms` is the time that the daemon has run, added up over
 * its restarts: it is what rows are old by, because the wall clock of an edge machine may jump by decades.
 */
export const schema: Schema = {
  room: "metrics",
  migrations: [
    `CREATE TABLE metrics_series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, ran_ms INTEGER NOT NULL) STRICT;
     CREATE TABLE metrics_fine (
       id INTEGER PRIMARY KEY, series INTEGER NOT NULL, at_ms INTEGER NOT NULL, ran_ms INTEGER NOT NULL,
       cpu REAL NOT NULL, memory REAL NOT NULL, disk REAL NOT NULL, received REAL NOT NULL, sent REAL NOT NULL,
       load REAL NOT NULL, memory_total REAL NOT NULL, disk_total REAL NOT NULL, uptime REAL NOT NULL
     ) STRICT;
     CREATE INDEX metrics_fine_at ON metrics_fine (series, at_ms);
     CREATE TABLE metrics_coarse (
       id INTEGER PRIMARY KEY, series INTEGER NOT NULL, at_ms INTEGER NOT NULL, ran_ms INTEGER NOT NULL,
       samples INTEGER NOT NULL,
       cpu REAL NOT NULL, memory REAL NOT NULL, disk REAL NOT NULL, received REAL NOT NULL, sent REAL NOT NULL,
       load REAL NOT NULL, memory_total REAL NOT NULL, disk_total REAL NOT NULL, uptime REAL NOT NULL,
       UNIQUE (series, at_ms)
     ) STRICT;`,
    ["metrics_fine", "metrics_coarse"]
      .flatMap((table) =>
        ["block_read", "block_written", "pids", "restarts", "oom_kills"].map(
          (column) => `ALTER TABLE ${table} ADD COLUMN ${column} REAL NOT NULL DEFAULT 0;`,
        ),
      )
      .join("\n"),
  ],
};

/** How long samples are kept, in milliseconds of running time: those as measured, and the averages of five minutes. */
export const keptMs = { fine: 48 * 3_600_000, coarse: 30 * 24 * 3_600_000 } as const;

type Table = Resolution["table"];

/** The rows of one series in a range of wall time: `since` is inclusive, `until` exclusive. */
export interface Rows {
  series: number;
  since: number;
  until: number;
}

/** The tables of this room, in the state file. Changes are made within a transaction of the caller. */
export class SampleStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** How long the daemon has run, as of the newest sample, in milliseconds. */
  get ranMs(): number {
    return Number(this.#sql.get("SELECT MAX(ran_ms) AS ran FROM metrics_series")?.ran ?? 0);
  }

  seriesId(name: string): number | undefined {
    const row = this.#sql.get("SELECT id FROM metrics_series WHERE name = ?", name);
    return row && Number(row.id);
  }

  /** Every series by name, the one that was silent longest first. */
  series(): { id: number; name: string }[] {
    const rows = this.#sql.all("SELECT id, name FROM metrics_series ORDER BY ran_ms, id");
    return rows.map(({ id, name }) => ({ id: Number(id), name: String(name) }));
  }

  /** Notes that a series has news, making it if there is none of that name. */
  putSeries(name: string, ranMs: number): number {
    this.#sql.run(
      `INSERT INTO metrics_series (name, ran_ms) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET ran_ms = MAX(ran_ms, excluded.ran_ms)`,
      ...[name, ranMs],
    );
    const id = this.seriesId(name);
    if (id === undefined) throw new Error("a row that was just written is not there");
    return id;
  }

  dropSeries(id: number): void {
    for (const table of ["metrics_fine", "metrics_coarse"]) {
      this.#sql.run(`DELETE FROM ${table} WHERE series = ?`, id);
    }
    this.#sql.run("DELETE FROM metrics_series WHERE id = ?", id);
  }

  add(series: number, measured: Measured, ranMs: number): void {
    this.#sql.run(
      `INSERT INTO metrics_fine (series, at_ms, ran_ms, ${columns.join(", ")})
       VALUES (?, ?, ?, ${columns.map(() => "?").join(", ")})`,
      ...[series, measured.at, ranMs, ...measures.map((name) => measured[name])],
    );
  }

  /** Makes the average of the five minutes that begin at `at` anew from their samples. */
  average(series: number, at: number): void {
    const means = averaged.map((name) => `AVG(${columnOf(name)})`);
    // Columns beside a single MAX() come from the row that has it (https://sqlite.org/lang_select.html#bareagg).
    this.#sql.run(
      `INSERT INTO metrics_coarse (series, at_ms, ran_ms, samples, ${columns.join(", ")})
       SELECT series, ?, MAX(ran_ms), COUNT(*), ${[...means, ...newest.map(columnOf)].join(", ")}
       FROM metrics_fine WHERE series = ? AND at_ms >= ? AND at_ms < ? GROUP BY series
       ON CONFLICT (series, at_ms) DO UPDATE SET
         ${["ran_ms", "samples", ...columns].map((name) => `${name} = excluded.${name}`).join(", ")}`,
      ...[at, series, at, at + coarseMs],
    );
  }

  /** Drops what is too old among the oldest `most` rows of each table, and series without rows. */
  prune(most: number): void {
    const ranMs = this.ranMs;
    for (const [table, kept] of Object.entries(keptMs)) {
      // Rows are in order of age.
      this.#sql.run(
        `DELETE FROM metrics_${table} WHERE id IN (SELECT id FROM metrics_${table} ORDER BY id LIMIT ?) AND ran_ms <= ?`,
        ...[most, ranMs - kept],
      );
    }
    this.#sql.run(
      `DELETE FROM metrics_series WHERE NOT EXISTS (SELECT 1 FROM metrics_fine WHERE series = metrics_series.id)
       AND NOT EXISTS (SELECT 1 FROM metrics_coarse WHERE series = metrics_series.id)`,
    );
  }

  /** From when to when there are rows. */
  extent(table: Table, { series, since, until }: Rows): Extent | undefined {
    const row = this.#sql.get(
      `SELECT MIN(at_ms) AS first, MAX(at_ms) AS last FROM metrics_${table}
       WHERE series = ? AND at_ms >= ? AND at_ms < ?`,
      ...[series, since, until],
    );
    return typeof row?.first === "number" ? { first: row.first, last: Number(row.last) } : undefined;
  }

  /** The rows added up by point number. */
  slots({ table, anchor, resolutionMs }: Resolution, { series, since, until }: Rows): Map<number, Slot> {
    const weight = table === "fine" ? "1" : "samples";
    const sums = averaged.map((name) => `SUM(${columnOf(name)} * ${weight}) AS ${columnOf(name)}`);
    const rows = this.#sql.all(
      `SELECT CAST((at_ms - ?) / ? AS INTEGER) AS number, SUM(${weight}) AS weight, MAX(at_ms) AS last,
         ${[...sums, ...newest.map(columnOf)].join(", ")}
       FROM metrics_${table} WHERE series = ? AND at_ms >= ? AND at_ms < ? GROUP BY number`,
      ...[anchor, resolutionMs, series, since, until],
    );
    return new Map(rows.map((row) => [Number(row.number), slotOf(row)]));
  }
}

function slotOf(row: Row): Slot {
  const of = (name: (typeof measures)[number]) => Number(row[columnOf(name)]);
  return {
    weight: Number(row.weight),
    lastAt: Number(row.last),
    cpu: of("cpu"),
    memory: of("memory"),
    disk: of("disk"),
    received: of("received"),
    sent: of("sent"),
    load: of("load"),
    memoryTotal: of("memoryTotal"),
    diskTotal: of("diskTotal"),
    uptime: of("uptime"),
    blockRead: of("blockRead"),
    blockWritten: of("blockWritten"),
    pids: of("pids"),
    restarts: of("restarts"),
    oomKills: of("oomKills"),
  };
}
