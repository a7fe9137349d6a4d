/** The weight that everybody has who names none. */
export const usualWeight = 100;

/**
 * The engine's `CpuShares` for a weight; undefined for the usual one, which the kernel gives by itself. With control groups of
 * version 1, 1024 shares are usual. With version 2 the engine makes a weight of the shares: for years in a straight line, on
 * which 2597 shares are usual, and lately on a curve, on which 1024 are. Below the usual weight we scale from the smaller
 * number and above it from the larger one, so that less is less and more is more with either.
 */
export function cpuSharesOf(weight: number, cgroupVersion: 1 | 2): number | undefined {
  if (weight === 0 || weight === usualWeight) return undefined;
  if (cgroupVersion === 1 || weight < usualWeight)
    return Math.max(2, Math.round((weight * 1024) / usualWeight));
  return Math.round(2 + ((weight - 1) * 262_142) / 9_999);
}
