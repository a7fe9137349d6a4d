/** What the doctor says of one thing: `fail` is what must be mended, `warn` what may surprise. */
export interface Finding {
  check: string;
  level: "ok" | "warn" | "fail";
  says: string;
  /** What to do; empty when all is well. */
  next: string;
}

export function ok(check: string, says: string): Finding {
  return { check, level: "ok", says, next: "" };
}

export function warn(check: string, says: string, next: string): Finding {
  return { check, level: "warn", says, next };
}

export function fail(check: string, says: string, next: string): Finding {
  return { check, level: "fail", says, next };
}
