import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import type { Sql } from "../../base/sql.ts";
import { chooseResolution, coarseMs, type Extent } from "./resolution.ts";
import { addSlot, emptySlot, type Measured, sampleOfSlot } from "./slots.ts";
import { SampleStore } from "./store.ts";

/** What a history may take. */
export interface HistoryLimits {
  /** Series kept at most; the one that was silent longest makes room. */
  series: number;
  /** Samples that wait in memory at most, when the disk takes none; the oldest are dropped. */
  waiting: number;
}

/** A series takes up to 5 MB on disk, and a sample that waits about 200 bytes in memory. */
const usualLimits: HistoryLimits = { series: 64, waiting: 20_000 };

/** One sample of one series (a runtime's name, or "" for the node) as it waits for the next commit. */
interface Waiting {
  series: string;
  measured: Measured;
  ranMs: number;
}

/** One interval of an answer. */
export interface Point {
  /** Begin of the interval: wall time in milliseconds. */
  at: number;
  sample: Sample;
}

/** What is asked of a history. */
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
  readonly #store: SampleStore;
  readonly #intervalMs: number;
  readonly #limits: HistoryLimits;
  readonly #ranBefore: number;
  #waiting: Waiting[] = [];

  constructor(sql: Sql, intervalMs: number, limits: HistoryLimits = usualLimits) {
    this.#sql = sql;
    this.#store = new SampleStore(sql);
    this.#intervalMs = intervalMs;
    this.#limits = limits;
    this.#ranBefore = this.#store.ranMs;
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
      const touched = new Map<string, { id: number; at: number }>();
      for (const { series, measured, ranMs } of rows) {
        const id = ids.get(series);
        if (id === undefined) continue;
        this.#store.add(id, measured, ranMs);
        const at = Math.floor(measured.at / coarseMs) * coarseMs;
        touched.set(`${id}/${at}`, { id, at });
      }
      for (const { id, at } of touched.values()) this.#store.average(id, at);
      // Twice as many as came, so that it catches up.
      this.#store.prune(Math.max(1000, 2 * rows.length));
    });
    this.#waiting = [];
  }

  /** Whether there are samples of this series. */
  has(series: string): boolean {
    return this.#store.seriesId(series) !== undefined || this.#waiting.some((one) => one.series === series);
  }

  /**
   * The samples of a range, averaged so that there are at most `maxPoints`, oldest first, and what one point stands for.
   * Intervals without a sample have no point.
   */
  query({ series, since, until, maxPoints }: Range): { points: Point[]; resolutionMs: number } {
    const rows = { series: this.#store.seriesId(series) ?? noSeries, since, until };
    const waiting = this.#waiting
      .filter(({ series: name, measured: { at } }) => name === series && at >= since && at < until)
      .map(({ measured }) => measured);
    const resolution = chooseResolution({
      fine: joined(this.#store.extent("fine", rows), waiting),
      coarse: this.#store.extent("coarse", rows),
      intervalMs: this.#intervalMs,
      maxPoints,
    });
    if (!resolution) return { points: [], resolutionMs: this.#intervalMs };

    const { anchor, resolutionMs } = resolution;
    const slots = this.#store.slots(resolution, rows);
    for (const measured of waiting) {
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

  /** The ids of the series of these rows; those over the limit have none. */
  #seriesIds(rows: readonly Waiting[]): Map<string, number> {
    const newest = new Map(rows.map(({ series, ranMs }) => [series, ranMs]));
    const ids = new Map<string, number>();
    for (const [name, ranMs] of newest) {
      if (this.#store.seriesId(name) === undefined && !this.#makeRoom(newest)) continue;
      ids.set(name, this.#store.putSeries(name, ranMs));
    }
    return ids;
  }

  /** Drops the series that was silent longest when there are too many; false when all of them have news. */
  #makeRoom(speaking: ReadonlyMap<string, number>): boolean {
    const known = this.#store.series();
    if (known.length < this.#limits.series) return true;
    const silent = known.find(({ name }) => !speaking.has(name));
    if (silent) this.#store.dropSeries(silent.id);
    return silent !== undefined;
  }
}

/** No series has this id. */
const noSeries = -1;

function joined(extent: Extent | undefined, waiting: readonly Measured[]): Extent | undefined {
  return waiting.reduce<Extent | undefined>(
    (so, { at }) => ({ first: Math.min(so?.first ?? at, at), last: Math.max(so?.last ?? at, at) }),
    extent,
  );
}
