import { evidence } from "./evidence.ts";
import { failure } from "./failure.ts";
import { parseSizeBytes, sizeAllowed } from "./sizes.ts";

const msOf: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `parseDuration` takes, as a sentence for people. */
export const durationsAllowed = "a duration such as 250ms, 30s, 5m, 2h or 7d";

/** Bytes of a size as people write it, at least one. @throws {Failure} invalid, saying what is allowed. */
export function parseSize(text: string): bigint {
  const bytes = parseSizeBytes(text);
  if (bytes === undefined || bytes < 1) throw notAllowed(text, sizeAllowed);
  return BigInt(bytes);
}

/** Milliseconds of a duration as people write it: `250ms`, `30s`, `5m`, `2h`, `7d`. @throws {Failure} invalid */
export function parseDuration(text: string): number {
  const [, count, unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = msOf[unit];
  if (count === undefined || factor === undefined) throw notAllowed(text, durationsAllowed);
  return Number(count) * factor;
}

const moments = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * A moment as people write it, in wall time in milliseconds: `10m` is ten minutes ago, and without a zone UTC is meant.
 * @throws {Failure} invalid
 */
export function parseWhen(text: string, now: number): number {
  const found = moments.exec(text);
  if (found === null && /^\d{1,9}(ms|s|m|h|d)$/.test(text)) return now - parseDuration(text);
  const hasZone = found?.[1] !== undefined || text.length === 10;
  const at = found ? Date.parse(hasZone ? text.replace(" ", "T") : `${text.replace(" ", "T")}Z`) : Number.NaN;
  if (Number.isNaN(at))
    throw notAllowed(text, "how long ago, as in 10m, or a moment such as 2026-11-21T10:00:00Z");
  return at;
}

/** Bytes for people, in powers of two with three significant digits: `1.50 GiB`. */
export function formatBytes(bytes: bigint | number): string {
  let value = Number(bytes);
  if (value < 1024) return `${value} B`;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    value /= 1024;
    if (value < 999.5) return `${value.toPrecision(3)} ${unit}`;
  }
  return `${(value / 1024).toFixed(2)} TiB`;
}

/** A time span for people, its two largest units: `3d 4h`, `2m 5s`, `850ms`. Negative spans read as zero. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  let restMs = Math.floor(ms / 1000) * 1000;
  const parts: string[] = [];
  for (const unit of ["d", "h", "m", "s"] as const) {
    const factor = msOf[unit] ?? 1;
    const count = Math.floor(restMs / factor);
    restMs -= count * factor;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(" ");
}

function notAllowed(text: string, allowed: string) {
  return failure("invalid", `${evidence(text)} is not ${allowed}`);
}
