/** The slopes of all that was sampled, for people and for programs. */
import type { Sample } from "./samples.ts";
import { type Slope, slopeOf } from "./slope.ts";

const measures = {
  "resident memory": { of: (one: Sample) => one.residentMb, unit: "MB" },
  "resident memory after a collection": { of: (one: Sample) => one.keptMb, unit: "MB" },
  "heap after a collection": { of: (one: Sample) => one.heapMb, unit: "MB" },
  "of it objects, and not compiled code": { of: (one: Sample) => one.heapMb - one.codeMb, unit: "MB" },
  "buffers after a collection": { of: (one: Sample) => one.outsideMb, unit: "MB" },
  "open files": { of: (one: Sample) => one.files, unit: "" },
  "open sockets": { of: (one: Sample) => one.sockets, unit: "" },
  "timers, sockets and requests of Node": {
    of: (one: Sample) => Object.values(one.open).reduce((sum, count) => sum + count, 0),
    unit: "",
  },
};

export interface Grown extends Slope {
  what: string;
  unit: string;
  /** Of the second half alone: what still grows then does not stop. */
  late: Slope;
  first: number;
  last: number;
}

/** Of what came after the warm-up. */
export function slopesOf(samples: readonly Sample[], warmUpMinutes: number): Grown[] {
  const warm = samples.filter(({ at }) => at * 60 >= warmUpMinutes);
  return Object.entries(measures).map(([what, { of, unit }]) => {
    const points = warm.map((one) => ({ at: one.at, value: of(one) }));
    const late = slopeOf(points.slice(Math.floor(points.length / 2)));
    return {
      ...{ what, unit, ...slopeOf(points), late },
      ...{ first: points[0]?.value ?? 0, last: points.at(-1)?.value ?? 0 },
    };
  });
}

/** One program's, as lines. */
export function report(name: string, grown: readonly Grown[]): string {
  const lines = grown.map(({ what, unit, late, first, last, ...whole }) => {
    const spans = `${inWords(whole)} ${unit}/h, ${inWords(late)} ${unit}/h in the last half`;
    return `  ${what.padEnd(38)} ${spans}   (from ${first.toFixed(1)} to ${last.toFixed(1)})`;
  });
  return `${name}\n${lines.join("\n")}\n`;
}

function inWords({ perHour, error }: Slope): string {
  return `${perHour.toFixed(2).padStart(6)} ± ${error.toFixed(2)}`;
}
