import { RuntimeProfile, type RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import type { FieldViolation } from "../../base/failure.ts";

/** What one check asks. */
export type Question =
  | { by: "http"; port: number; path: string; https: boolean }
  | { by: "tcp"; port: number }
  | { by: "exec"; command: readonly string[] };

/** A check that the daemon does, with every default filled in. */
export interface Check {
  question: Question;
  intervalMs: number;
  timeoutMs: number;
  /** So many failures in a row make it unhealthy. */
  failures: number;
  startPeriodMs: number;
  /**
   * Nobody asked for it: it is the profile's. It says nothing until it succeeded once in the life of the runtime, because
   * many an image runs under this profile whose program has no such answer.
   */
  isTentative: boolean;
}

/** What the contract says of zeros. */
const usual = { intervalMs: 30_000, timeoutMs: 5_000, failures: 3, startPeriodMs: 60_000 };

/** OpenPLC answers its version without a password, as long as its web server works. */
const openplc: Question = { by: "http", port: 8443, path: "/api/version", https: true };

/** The check that the daemon does for a spec; undefined when it does none: the engine may then do the image's own. */
export function checkOf({ health, profile }: RuntimeSpec): Check | undefined {
  if (!health) return profile === RuntimeProfile.PLAIN ? undefined : tentative;
  const { http, tcp, exec, disabled } = health;
  if (disabled) return undefined;
  let question: Question | undefined;
  if (http) question = { by: "http", port: http.port, path: http.path || "/", https: http.https };
  else if (tcp) question = { by: "tcp", port: tcp.port };
  else if (exec) question = { by: "exec", command: exec.command };
  if (!question) return undefined;
  return {
    question,
    intervalMs: health.intervalMs || usual.intervalMs,
    timeoutMs: health.timeoutMs || usual.timeoutMs,
    failures: health.failures || usual.failures,
    startPeriodMs: health.startPeriodMs || usual.startPeriodMs,
    isTentative: false,
  };
}

/** What the contract's rules cannot say of a health check. */
export function wrongHealth({ health }: RuntimeSpec): FieldViolation[] {
  if (!health) return [];
  const { http, tcp, exec, disabled, restarts } = health;
  const ways = [http && "http", tcp && "tcp", exec && "exec", disabled && "disabled"].filter(Boolean);
  const found: FieldViolation[] = [];
  if (ways.length > 1) {
    found.push({ field: "spec.health", message: `is one of its ways, and not ${ways.join(" and ")}` });
  }
  if (disabled && restarts) {
    found.push({ field: "spec.health.restarts", message: "needs a check, and none is done" });
  }
  for (const [index, text] of (exec?.command ?? []).entries()) {
    const field = `spec.health.exec.command[${index}]`;
    if (text.includes("\0")) found.push({ field, message: "must not contain a zero byte" });
    else if (index === 0 && text === "")
      found.push({ field, message: "is the program, and must not be empty" });
  }
  return found;
}

const tentative: Check = { ...usual, question: openplc, isTentative: true };

/** What one check found. */
export interface Answer {
  isWell: boolean;
  /** What was asked, and what came of it. */
  said: string;
}

/** How healthy one run of a program is, as far as its checks have shown. */
export interface Judged {
  health: Health;
  /** What the last check said; empty before the first. */
  reason: string;
  /** Failures in a row that count. */
  failures: number;
}

/** What is known of a run before its first check. `told` is what was last told of the runtime. */
export function beforeChecks({ startPeriodMs, isTentative }: Check, ranMs: number, told: Health): Judged {
  const reason = "it was not checked yet";
  if (isTentative && told === Health.UNSPECIFIED) return { health: told, reason: "", failures: 0 };
  // One that runs for longer than that was checked by an earlier life of the daemon.
  const isYoung = ranMs < startPeriodMs || told === Health.UNSPECIFIED;
  return { health: isYoung ? Health.STARTING : told, reason, failures: 0 };
}

/** What is known after one more check, of a run that is so old. */
export function judge(before: Judged, answer: Answer, check: Check, ranMs: number): Judged {
  const { isWell, said: reason } = answer;
  if (isWell) return { health: Health.HEALTHY, reason, failures: 0 };
  if (before.health === Health.UNSPECIFIED) return before;
  if (before.health === Health.STARTING && ranMs < check.startPeriodMs) return { ...before, reason };
  const failures = Math.min(before.failures + 1, check.failures);
  const health = failures < check.failures ? before.health : Health.UNHEALTHY;
  return { health, reason, failures };
}
