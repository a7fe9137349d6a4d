import { execFileSync } from "node:child_process";

/** Settings of a program that lives at another time. */
type OtherTime = Record<"LD_PRELOAD" | `FAKETIME${string}`, string>;

/** The program `faketime` would stand between us and ours; its library is all that is needed. */
function preload(): Pick<OtherTime, "LD_PRELOAD"> {
  const told = execFileSync("faketime", ["-f", "+0", "printenv", "LD_PRELOAD"], { encoding: "utf8" });
  return { LD_PRELOAD: told.trim() };
}

/** Lives at another time, `@1970-...` or `+60d`. Wall time is what is set on a machine; the monotonic clock is nobody's to set. */
export function atTime(time: string): OtherTime {
  return { ...preload(), FAKETIME: time, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}

/** Is so far ahead as a file says, `+60`, with all its clocks: as if that time had passed meanwhile. */
export function aheadAsIn(file: string): OtherTime {
  return { ...preload(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: "1" };
}
