import { isDeepStrictEqual } from "node:util";

/** What newly read settings come to. */
export interface Reload {
  /** Keys that are other than before, and count from now on. */
  changed: string[];
  /** Keys whose new value counts after a restart. */
  needRestart: string[];
}

/**
 * Compares what was read with what is in force.
 * @param live keys that a running daemon takes; `*` at the end means all that begin so.
 */
export function planReload(
  now: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
  live: readonly string[],
): Reload {
  const others = Object.keys(next).filter((key) => !isDeepStrictEqual(now[key], next[key]));
  const isLive = (key: string) =>
    live.some((one) => (one.endsWith("*") ? key.startsWith(one.slice(0, -1)) : key === one));
  return { changed: others.filter(isLive), needRestart: others.filter((key) => !isLive(key)) };
}
