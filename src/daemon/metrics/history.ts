import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";
import { addSlot, emptySlot, type Measured, type Slot, sampleOfSlot } from "./slots.ts";

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
  ],
};

/** How long samples are kept, in milliseconds of running time: those as measured, and the averages of five minutes. */
export const keptMs = { fine: 48 * 3_600_000, coarse: 30 * 24 * 3_600_000 } as const;

/** What one row of the coarse table stands for, in milliseconds. */
export const coarseMs = 300_000;

export interface HistoryLimits {
  /** Series kept at most; the one that was silent longest makes room. */
  series: number;
  /** Samples that wait in memory at most, when the disk takes none; the oldest are dropped. */
  waiting: number;
}

/** One sample of one series (a runtime's name, or "" for the node) as it waits for the next commit. */
interface Waiting {
  series: string;
  measured: Measured;
  ranMs: number;
}

export interface Point {
  /** Begin of the interval: wall time in milliseconds. */
  at: number;
  sample: Sample;
}

export interface Range {
  series: string;
  /** Wall time in milliseconds, inclusive. */
  since: number;
  /** Wall time in milliseconds, exclusive. */
  until: number;
  maxPoints: number;
}

/**
 * Samples on disk, bounded, and those of the last minute in memory. A sample is on disk only after `commit`, so that a beat
 * does not cost a sync: what was added since the last commit is lost when the program or the machine dies.
 */
export class History {
  readonly #sql: Sql;
  readonly #intervalMs: number;
  readonly #limits: HistoryLimits;
  readonly #ranBefore: number;
  #waiting: Waiting[] = [];

  constructor(sql: Sql, intervalMs: number, limits: HistoryLimits = { series: 128, waiting: 20_000 }) {
    this.#sql = sql;
    this.#intervalMs = intervalMs;
    this.#limits = limits;
    this.#ranBefore = Number(sql.get("SELECT MAX(ran_ms) AS ran FROM metrics_series")?.ran ?? 0);
  }

  /** Adds a sample. `ranMs`: how long this run of the daemon has lasted. */
  add(series: string, measured: Measured, ranMs: number): void {
    this.#waiting.push({ series, measured, ranMs: Math.round(this.#ranBefore + ranMs) });
    if (this.#waiting.length > this.#limits.waiting) this.#waiting.shift();
  }

  /** Puts what waits on disk in one commit, and drops what is too old. When it throws, everything waits on. */
  commit(): void {
    const rows = this.#waiting;
    if (rows.length === 0) return;
    this.#sql.transaction(() => {
      const ids = this.#seriesIds(rows);
      const touched = new Map<string, [series: number, bucket: number]>();
      for (const { series, measured, ranMs } of rows) {
        const id = ids.get(series);
        if (id === undefined) continue;
        this.#insert(id, measured, ranMs);
        const bucket = Math.floor(measured.at / coarseMs) * coarseMs;
        touched.set(`${id}/${bucket}`, [id, bucket]);
      }
      for (const [id, bucket] of touched.values()) this.#average(id, bucket);
      this.#prune(rows.length);
    });
    this.#waiting = [];
  }

  /** Whether there are samples of this series. */
  has(series: string): boolean {
    return this.#idOf(series) !== undefined || this.#waiting.some((one) => one.series === series);
  }

  /**
   * The samples of a range, averaged so that there are at most `maxPoints`, oldest first, and what one point stands for.
   * Intervals without a sample have no point. The fine table answers where it reaches back far enough.
   */
  query({ series, since, until, maxPoints }: Range): { points: Point[]; resolutionMs: number } {
    const id = this.#idOf(series) ?? -1;
    const waiting = this.#waiting.filter(
      ({ series: name, measured: { at } }) => name === series && at >= since && at < until,
    );
    const extent = (table: "fine" | "coarse") =>
      this.#sql.get(
        `SELECT MIN(at_ms) AS first, MAX(at_ms) AS last FROM metrics_${table} WHERE series = ? AND at_ms >= ? AND at_ms < ?`,
        id,
        since,
        until,
      );
    const [fine, coarse] = [extent("fine"), extent("coarse")];
    const ats = waiting.map(({ measured }) => measured.at);
    const firsts = (row: typeof fine) => (typeof row?.first === "number" ? [row.first] : []);
    const lasts = (row: typeof fine) => (typeof row?.last === "number" ? [row.last] : []);
    const firstFine = least([...firsts(fine), ...ats]);
    const firstCoarse = least(firsts(coarse));
    const last = -least([...lasts(fine), ...lasts(coarse), ...ats].map((at) => -at));
    const first = Math.min(firstFine, firstCoarse);
    if (first === Number.POSITIVE_INFINITY) return { points: [], resolutionMs: this.#intervalMs };

    const fineReaches = firstFine < firstCoarse + coarseMs;
    const fineResolution = resolutionFor(last - firstFine, maxPoints, this.#intervalMs);
    const isFine = fineReaches && fineResolution < coarseMs;
    const anchor = isFine ? firstFine : first;
    const resolutionMs = isFine ? fineResolution : resolutionFor(last - first, maxPoints, coarseMs);

    const slots = this.#slots(isFine ? "fine" : "coarse", { id, since, until, anchor, resolutionMs });
    for (const { measured } of waiting) {
      const number = Math.floor((measured.at - anchor) / resolutionMs);
      const slot = slots.get(number) ?? emptySlot();
      addSlot(slot, measured);
      slots.set(number, slot);
    }
    const points = [...slots]
      .sort(([a], [b]) => a - b)
      .slice(-maxPoints)
      .map(([number, slot]) => ({ at: anchor + number * resolutionMs, sample: sampleOfSlot(slot) }));
    return { points, resolutionMs };
  }

  #idOf(series: string): number | undefined {
    const row = this.#sql.get("SELECT id FROM metrics_series WHERE name = ?", series);
    return row && Number(row.id);
  }

  /** The ids of the series of these rows; those over the limit have none. */
  #seriesIds(rows: readonly Waiting[]): Map<string, number> {
    const newest = new Map(rows.map(({ series, ranMs }) => [series, ranMs]));
    const ids = new Map<string, number>();
    for (const [name, ranMs] of newest) {
      if (this.#idOf(name) === undefined && !this.#makeRoom(newest)) continue;
      this.#sql.run(
        "INSERT INTO metrics_series (name, ran_ms) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET ran_ms = excluded.ran_ms",
        name,
        ranMs,
      );
      const id = this.#idOf(name);
      if (id !== undefined) ids.set(name, id);
    }
    return ids;
  }

  /** Drops the series that was silent longest when there are too many; false when all of them have news. */
  #makeRoom(speaking: ReadonlyMap<string, number>): boolean {
    const known = this.#sql.all("SELECT id, name FROM metrics_series ORDER BY ran_ms, id");
    if (known.length < this.#limits.series) return true;
    const silent = known.find(({ name }) => !speaking.has(String(name)));
    if (!silent) return false;
    for (const table of ["metrics_fine", "metrics_coarse"]) {
      this.#sql.run(`DELETE FROM ${table} WHERE series = ?`, Number(silent.id));
    }
    this.#sql.run("DELETE FROM metrics_series WHERE id = ?", Number(silent.id));
    return true;
  }

  #insert(id: number, { at, ...of }: Measured, ranMs: number): void {
    this.#sql.run(
      `INSERT INTO metrics_fine (series, at_ms, ran_ms, cpu, memory, disk, received, sent, load, memory_total, disk_total, uptime)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, Math.round(at), ranMs, of.cpu, of.memory, of.disk, of.received, of.sent, of.load],
      ...[of.memoryTotal, of.diskTotal, of.uptime],
    );
  }

  /** Makes the average of one five-minute bucket anew from its samples. */
  #average(id: number, bucket: number): void {
    this.#sql.run(
      `INSERT INTO metrics_coarse (series, at_ms, ran_ms, samples, cpu, memory, disk, received, sent, load, memory_total, disk_total, uptime)
       SELECT series, ?, MAX(ran_ms), COUNT(*), AVG(cpu), AVG(memory), AVG(disk), AVG(received), AVG(sent), AVG(load), memory_total, disk_total, uptime
       FROM metrics_fine WHERE series = ? AND at_ms >= ? AND at_ms < ? GROUP BY series
       ON CONFLICT (series, at_ms) DO UPDATE SET ran_ms = excluded.ran_ms, samples = excluded.samples, cpu = excluded.cpu,
         memory = excluded.memory, disk = excluded.disk, received = excluded.received, sent = excluded.sent,
         load = excluded.load, memory_total = excluded.memory_total, disk_total = excluded.disk_total, uptime = excluded.uptime`,
      ...[bucket, id, bucket, bucket + coarseMs],
    );
  }

  /** Rows are in order of age, so the first ones are all that must be looked at: twice as many as came, so it catches up. */
  #prune(added: number): void {
    const newest = Number(this.#sql.get("SELECT MAX(ran_ms) AS ran FROM metrics_series")?.ran ?? 0);
    for (const [table, kept] of [
      ["metrics_fine", keptMs.fine],
      ["metrics_coarse", keptMs.coarse],
    ] as const) {
      this.#sql.run(
        `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} ORDER BY id LIMIT ?) AND ran_ms < ?`,
        Math.max(1000, 2 * added),
        newest - kept,
      );
    }
    this.#sql.run(
      `DELETE FROM metrics_series WHERE NOT EXISTS (SELECT 1 FROM metrics_fine WHERE series = metrics_series.id)
       AND NOT EXISTS (SELECT 1 FROM metrics_coarse WHERE series = metrics_series.id)`,
    );
  }

  #slots(
    table: "fine" | "coarse",
    {
      id,
      since,
      until,
      anchor,
      resolutionMs,
    }: Record<"id" | "since" | "until" | "anchor" | "resolutionMs", number>,
  ): Map<number, Slot> {
    const weight = table === "fine" ? "1" : "samples";
    const sum = (column: string) => `SUM(${column} * ${weight}) AS ${column}`;
    // Columns beside a single MAX() come from the row that has it (https://sqlite.org/lang_select.html#bareagg).
    const rows = this.#sql.all(
      `SELECT CAST((at_ms - ?) / ? AS INTEGER) AS number, SUM(${weight}) AS weight, MAX(at_ms) AS last,
         ${["cpu", "memory", "disk", "received", "sent", "load"].map(sum).join(", ")}, memory_total, disk_total, uptime
       FROM metrics_${table} WHERE series = ? AND at_ms >= ? AND at_ms < ? GROUP BY number`,
      ...[anchor, resolutionMs, id, since, until],
    );
    return new Map(
      rows.map((row) => [
        Number(row.number),
        {
          weight: Number(row.weight),
          lastAt: Number(row.last),
          cpu: Number(row.cpu),
          memory: Number(row.memory),
          disk: Number(row.disk),
          received: Number(row.received),
          sent: Number(row.sent),
          load: Number(row.load),
          memoryTotal: Number(row.memory_total),
          diskTotal: Number(row.disk_total),
          uptime: Number(row.uptime),
        },
      ]),
    );
  }
}

/** The least, or infinity of none. */
function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

const seconds = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/** `resolution_ms` is a uint32 on the wire. */
const coarsestMs = 0xffff_ffff;

/**
 * The finest round resolution, not finer than the samples are, at which `spanMs` fits into that many points. A clock that
 * was decades off makes spans that fit into none: then the caller drops the oldest points.
 */
function resolutionFor(spanMs: number, maxPoints: number, finestMs: number): number {
  const fits = (ms: number) => Math.floor(spanMs / ms) + 1 <= maxPoints;
  const round = [finestMs, ...seconds.map((one) => one * 1000)].filter((ms) => ms >= finestMs);
  return round.find(fits) ?? Math.min(coarsestMs, Math.floor(spanMs / maxPoints) + 1);
}
