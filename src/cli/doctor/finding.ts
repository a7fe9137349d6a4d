import type { Facts } from "./facts.ts";

/** `fail` is what must be mended, `warn` what may surprise; of what is `unknown` nothing could be seen. */
export type Level = "ok" | "warn" | "fail" | "unknown";

/** What was seen of one thing. */
export interface Verdict {
  level: Level;
  says: string;
  /** What to do; empty when all is well. */
  next: string;
}

/** What the doctor says of one thing, and why the thing matters. */
export interface Finding extends Verdict {
  /** The name of the check, which stays the same from version to version. */
  check: string;
  why: string;
}

/** One thing that is looked at: what it is called, why it matters, and how it is judged. */
export interface Check {
  id: string;
  why: string;
  judge(facts: Facts): Verdict;
}

export function ok(says: string): Verdict {
  return { level: "ok", says, next: "" };
}

export function warn(says: string, next: string): Verdict {
  return { level: "warn", says, next };
}

export function fail(says: string, next: string): Verdict {
  return { level: "fail", says, next };
}

export function unknown(says: string, next = "run the doctor as root"): Verdict {
  return { level: "unknown", says, next };
}
