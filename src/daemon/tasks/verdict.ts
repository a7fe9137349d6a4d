import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { TaskRecord } from "./task.ts";
import type { State } from "./transitions.ts";

/** What an attempt came to. */
export interface Verdict {
  state: Extract<State, "queued" | "succeeded" | "failed" | "cancelled" | "timed_out">;
  reason: string;
  /** How long it pauses before it is tried again. */
  pauseMs?: number;
}

/** How the program of an attempt ended. */
interface End {
  exitCode?: number | undefined;
  outOfMemory: boolean;
}

type Attempted = Pick<TaskRecord, "attempts" | "wallTimeMs" | "ending" | "reason">;

/** What the end of a program means for its task. */
export function verdictOf(task: Attempted, end: End, spec: AgentSpec | undefined): Verdict {
  // Its reason was told when it was cancelled.
  if (task.ending === "cancelled") return { state: "cancelled", reason: task.reason };
  if (task.ending === "late") {
    return orAgain(task, spec, { state: "timed_out", reason: `it took longer than ${task.wallTimeMs} ms` });
  }
  if (end.exitCode === 0) return { state: "succeeded", reason: "its program ended with 0" };
  return orAgain(task, spec, { state: "failed", reason: howEnded(end) });
}

function howEnded({ exitCode, outOfMemory }: End): string {
  if (exitCode === undefined) return "its container is gone: somebody else removed it";
  const ended = `its program ended with exit code ${exitCode}`;
  return outOfMemory ? `${ended} for want of memory: raise resources.memory_bytes of its agent` : ended;
}

/** What a failure to start means: it is no attempt of the program, and is one of the task. */
export function startFailed(task: Attempted, sentence: string, spec: AgentSpec | undefined): Verdict {
  return orAgain(task, spec, { state: "failed", reason: `it could not be started: ${sentence}` });
}

/** What it means that the node itself ended an attempt: only its manifest may have it run again. */
export function interrupted(task: Attempted, what: string, spec: AgentSpec | undefined): Verdict {
  if (task.ending === "cancelled") return { state: "cancelled", reason: task.reason };
  if (task.ending === "late") return verdictOf(task, { outOfMemory: false }, spec);
  if (spec?.retries?.afterInterruption) {
    return { state: "queued", reason: `${what}; it runs again, as its agent's manifest allows`, pauseMs: 0 };
  }
  const next = "retries.after_interruption of its agent would have it run again";
  return { state: "failed", reason: `${what}, so it may have run: it is not run again (${next})` };
}

/** The contract's pauses for a manifest that does not say, in milliseconds. */
const usual = { firstMs: 1_000, mostMs: 60_000 };

function orAgain({ attempts }: Attempted, spec: AgentSpec | undefined, verdict: Verdict): Verdict {
  const { most = 0, firstMs = 0, mostMs = 0 } = spec?.retries ?? {};
  if (attempts > most) {
    return most === 0
      ? verdict
      : { ...verdict, reason: `${verdict.reason}, at the last of ${most + 1} attempts` };
  }
  const doublings = Math.min(attempts - 1, 30); // 2^1024 is Infinity.
  const pauseMs = Math.min(mostMs || usual.mostMs, (firstMs || usual.firstMs) * 2 ** Math.max(0, doublings));
  const reason = `attempt ${attempts} of ${most + 1}: ${verdict.reason}; it is tried again after ${pauseMs} ms`;
  return { state: "queued", reason, pauseMs };
}
