import { evidence } from "../../base/evidence.ts";
import { durationsAllowed, parseDuration } from "../../base/quantity.ts";
import { parseSizeBytes, sizeAllowed } from "../../base/sizes.ts";
import type { Unit } from "./spelling.ts";

/** A number with its unit as people write it: what it is, or what is wrong with it as the end of a sentence. */
export type Quantity = { is: number } | { wrong: string };

/**
 * What a size or duration means. `isShort`: it stands behind a name that does not say the unit. Nothing that is written can mean
 * zero, which would be no limit or the usual one: who wants that leaves the key out.
 */
export function quantityFrom(unit: Unit, value: unknown, isShort: boolean): Quantity {
  const isNumber = typeof value === "number";
  // A size without a unit is bytes everywhere; a duration without one is a guess.
  if (unit === "ms" && isNumber && isShort) {
    return { wrong: `is ${value} of nobody knows what; ${durationsAllowed} is needed` };
  }
  const found = isNumber ? value : typeof value === "string" ? parsed[unit](value) : undefined;
  if (found === undefined || !Number.isSafeInteger(found) || found < 0) {
    return { wrong: `is ${evidence(value)}; ${allowed[unit]} is needed` };
  }
  if (found === 0)
    return { wrong: `is ${evidence(value)}, which limits nothing; leave it out for what is usual` };
  return { is: found };
}

const allowed: Readonly<Record<Unit, string>> = { bytes: sizeAllowed, ms: durationsAllowed };

const parsed: Readonly<Record<Unit, (text: string) => number | undefined>> = {
  bytes: parseSizeBytes,
  ms: (text) => {
    try {
      return parseDuration(text);
    } catch {
      return undefined; // What is allowed is said above.
    }
  },
};
