/** What one row of the coarse table stands for, in milliseconds. */
export const coarseMs = 300_000;

/** Begin of the first and of the last sample in a range: wall time in milliseconds. */
export interface Extent {
  first: number;
  last: number;
}

export interface Available {
  /** Of the samples as measured; undefined when the range has none. */
  fine: Extent | undefined;
  /** Of the averages of five minutes, likewise. */
  coarse: Extent | undefined;
  /** Time between samples in milliseconds. */
  intervalMs: number;
  maxPoints: number;
}

/** From which table an answer is made, and how. Point `n` begins at `anchor + n * resolutionMs`. */
export interface Resolution {
  table: "fine" | "coarse";
  anchor: number;
  resolutionMs: number;
}

/**
 * How a range is answered with at most `maxPoints`; undefined when it is empty. The samples as measured answer where they
 * reach back as far as the averages do and are not to be averaged over five minutes anyway.
 */
export function chooseResolution({ fine, coarse, intervalMs, maxPoints }: Available): Resolution | undefined {
  const all = fine && coarse ? union(fine, coarse) : (fine ?? coarse);
  if (!all) return undefined;
  if (fine && (!coarse || fine.first < coarse.first + coarseMs)) {
    const resolutionMs = finestFor(all.last - fine.first, maxPoints, intervalMs);
    if (resolutionMs < coarseMs || !coarse) return { table: "fine", anchor: fine.first, resolutionMs };
  }
  const resolutionMs = finestFor(all.last - all.first, maxPoints, coarseMs);
  return { table: "coarse", anchor: all.first, resolutionMs };
}

function union(a: Extent, b: Extent): Extent {
  return { first: Math.min(a.first, b.first), last: Math.max(a.last, b.last) };
}

/** Resolutions that people expect on a time axis, in milliseconds. */
const roundMs = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].map(
  (seconds) => seconds * 1000,
);

/** `resolution_ms` is a uint32 on the wire. */
const coarsestMs = 0xffff_ffff;

/**
 * The finest round resolution, not finer than the samples are, at which `spanMs` fits into that many points. A clock that
 * was decades off makes spans that fit into none: then the caller drops the oldest points.
 */
function finestFor(spanMs: number, maxPoints: number, finestMs: number): number {
  const fits = (ms: number) => Math.floor(spanMs / ms) + 1 <= maxPoints;
  const candidates = [finestMs, ...roundMs.filter((ms) => ms > finestMs)];
  return candidates.find(fits) ?? Math.min(coarsestMs, Math.floor(spanMs / maxPoints) + 1);
}
