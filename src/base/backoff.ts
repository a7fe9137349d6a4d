export interface BackoffOptions {
  /** The longest pause after the first failure, in milliseconds. */
  firstMs: number;
  /** The longest pause after any failure, in milliseconds. */
  lastMs: number;
  /** Uniform in [0, 1). */
  random: () => number;
}

/**
 * How long to wait before attempt `attempt` (1 is the first after a failure), in milliseconds: full jitter over a doubling,
 * capped range, so that a fleet that lost its hub together does not come back together. The exponent is capped too: 2^1024
 * is Infinity, and a node that was away for a week gets there.
 */
export function backoffMs(attempt: number, { firstMs, lastMs, random }: BackoffOptions): number {
  const doublings = Math.min(Math.max(attempt - 1, 0), 30);
  return Math.floor(random() * Math.min(lastMs, firstMs * 2 ** doublings));
}
