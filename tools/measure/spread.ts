/** The value below which `share` (0 to 1) of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** How long many rounds took, in words. */
export function spreadInWords(timesMs: readonly number[]): string {
  const at = (share: number) => inSeconds(quantile(timesMs, share));
  return `median ${at(0.5)}, 9 of 10 within ${at(0.9)}, slowest ${at(1)}`;
}

/** A time as rounds tell it. */
export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
