import { quantile } from "../bench/figures.ts";

/** How long many rounds took, in words. */
export function spreadInWords(timesMs: readonly number[]): string {
  const at = (share: number) => inSeconds(quantile(timesMs, share));
  return `median ${at(0.5)}, 9 of 10 within ${at(0.9)}, slowest ${at(1)}`;
}

/** A time as rounds tell it. */
export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
