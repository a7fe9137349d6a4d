/** How fast something grows, and how sure that is. */

export interface Point {
  /** Hours. */
  at: number;
  value: number;
}

export interface Slope {
  /** Of the value per hour. */
  perHour: number;
  /** Half the width of the interval in which the slope lies in 19 of 20 runs. */
  error: number;
}

/** Of a normal distribution: 19 of 20 lie within so many standard deviations. */
const nineteenOfTwenty = 1.96;

/**
 * The slope of the straight line with the least squares. Samples of memory are not independent: one that lies high is
 * followed by others, so that many samples say no more than a few. The error is widened by how much neighbours agree.
 */
export function slopeOf(points: readonly Point[]): Slope {
  const count = points.length;
  if (count < 3) return { perHour: Number.NaN, error: Number.POSITIVE_INFINITY };
  const meanAt = mean(points.map(({ at }) => at));
  const meanValue = mean(points.map(({ value }) => value));
  const spread = sum(points.map(({ at }) => (at - meanAt) ** 2));
  const perHour = sum(points.map(({ at, value }) => (at - meanAt) * (value - meanValue))) / spread;
  const rests = points.map(({ at, value }) => value - meanValue - perHour * (at - meanAt));
  const variance = sum(rests.map((rest) => rest ** 2)) / (count - 2);
  const agreement = Math.min(0.99, Math.max(0, agreementOfNeighbours(rests)));
  const widened = (1 + agreement) / (1 - agreement);
  return { perHour, error: nineteenOfTwenty * Math.sqrt((variance / spread) * widened) };
}

/** The autocorrelation at lag 1: 0 when a rest says nothing of the next, 1 when it says all. */
function agreementOfNeighbours(rests: readonly number[]): number {
  const own = sum(rests.map((rest) => rest ** 2));
  if (own === 0) return 0;
  return sum(rests.slice(1).map((rest, before) => rest * (rests[before] ?? 0))) / own;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
