import type { Facts } from "./facts.ts";
import { fail, ok, unknown, type Verdict, warn } from "./finding.ts";

/** From the ninth tenth of its life on it is time, and from the eleventh on it is over. */
const tenths = { warn: 9, fail: 11 };

/** Judges what eMMC and SD cards tell of themselves. */
export function judgeFlash({ flash }: Facts): Verdict {
  if (flash.is === "unknown") return unknown(flash.problem);
  if (flash.value.length === 0) return ok("there is no eMMC or SD card");
  const told = flash.value.filter(({ lifeTime }) => lifeTime !== undefined && lifeTime > 0);
  const worst = told.toSorted((one, other) => (other.lifeTime ?? 0) - (one.lifeTime ?? 0))[0];
  const urgent = flash.value.find(({ preEndOfLife }) => preEndOfLife === 3);
  const next = "replace it, and keep a backup until then";
  if (urgent) return fail(`${urgent.name} has hardly any spare blocks left`, next);
  if (worst?.lifeTime === undefined) {
    const names = flash.value.map(({ name, kind }) => `${name} (${kind})`).join(", ");
    return unknown(
      `${names} does not tell its wear`,
      "SD cards never do: use one for industry, or boot from an SSD",
    );
  }
  if (worst.lifeTime >= tenths.fail) return fail(`${worst.name} is past its life`, next);
  const says = `${worst.name} has used up to ${worst.lifeTime * 10} % of its life`;
  if (worst.lifeTime >= tenths.warn || worst.preEndOfLife === 2) return warn(says, next);
  return ok(says);
}
