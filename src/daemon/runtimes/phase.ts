import type { RuntimeLock } from "../../../gen/edge/v1/locks_pb.ts";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Failure } from "../../base/failure.ts";
import { tellLocks } from "../../wire/locks.ts";
import { isUp, type ObservedContainer } from "../engine/index.ts";
import { type LanKnown, profileOf, type Wish } from "../wishes/index.ts";
import { endedSo } from "./ends.ts";
import { isPluggable, plugsOf } from "./lan.ts";
import { staysEnded, wasStoppedForHealth } from "./pace.ts";
import type { Pause, Tended } from "./tended.ts";
import { isRestartDue } from "./wellbeing.ts";

/** What the loop knows beside wish and container. */
export interface Known {
  /** Why the engine cannot be asked; undefined when it can. */
  away: Failure | undefined;
  /** What is being done; empty when nothing is. */
  doing: string;
  /** How far that is, for people; empty when there is nothing to tell. */
  far: string;
  /** Why it is not as wished. */
  problem: Failure | undefined;
  /** Until when the next start of a program that ended must wait. */
  pause: Pick<Pause, "ended" | "at"> | undefined;
  /** For whom its start waits, as a sentence. */
  waitsFor: string | undefined;
  /** What the checks of one run have shown. */
  judged: Tended["judged"];
  lan: LanKnown;
  /** Why it is not to be touched now. */
  locks: readonly RuntimeLock[];
}

export interface Phase {
  phase: RuntimePhase;
  /** Why, as a sentence. */
  reason: string;
}

/** Where a runtime is in its life. */
export function phaseOf(wish: Wish, seen: ObservedContainer | undefined, known: Known): Phase {
  const { away, problem } = known;
  if (away) return { phase: RuntimePhase.UNSPECIFIED, reason: away.message };
  if (wish.desired === "absent") {
    const why = wish.failure ? `creating it failed: ${wish.failure.message}` : "it is being deleted";
    return { phase: RuntimePhase.DELETING, reason: withProblem(why, problem) };
  }
  if (wish.desired === "stopped" && wish.stage === "made") {
    if (seen && isUp(seen))
      return { phase: RuntimePhase.STOPPING, reason: withProblem("it is being stopped", problem) };
    const reason =
      wish.started === ""
        ? "its wish says that it does not run, and its container was never started"
        : "it was stopped by a command";
    return { phase: RuntimePhase.STOPPED, reason };
  }
  return phaseOfWanted(wish, seen, known);
}

function phaseOfWanted(wish: Wish, seen: ObservedContainer | undefined, known: Known): Phase {
  const { doing, far, problem, lan, pause, waitsFor } = known;
  if (seen?.state === "paused") {
    const reason = `its container was paused, and not by this daemon: docker unpause ${seen.name}`;
    return { phase: RuntimePhase.FAILED, reason };
  }
  if (seen?.state === "restarting" && wish.stage === "made") {
    const reason = `it ended with exit code ${seen.exitCode}, and the engine is about to start it again`;
    return { phase: RuntimePhase.STARTING, reason };
  }
  if (seen && isUp(seen) && wish.stage === "made") {
    const trial = wish.probation?.isSwap ? ", and its update is on probation" : "";
    const reason = `its container runs${trial}${withoutLimits(wish, seen)}${withoutSight(wish, lan)}${withoutRestart(wish, known)}`;
    return { phase: RuntimePhase.RUNNING, reason };
  }
  if (staysEnded(wish)) return ended(wish);
  if (waitsFor !== undefined && doing === "") {
    return { phase: RuntimePhase.WAITING, reason: waitsFor };
  }
  if (pause && pause.ended === seen?.finishedAt && doing === "") return paused(wish, seen, pause.at);
  if (doing === "pulling image") {
    const reason = withProblem(far === "" ? doing : `${doing}: ${far}`, problem);
    return { phase: RuntimePhase.PULLING, reason };
  }
  if (problem && wish.stage === "made") {
    return { phase: RuntimePhase.FAILED, reason: `${problem.message}; it is tried again` };
  }
  return { phase: RuntimePhase.STARTING, reason: withProblem(doing || "it is about to be started", problem) };
}

function ended({ name, exitCode, spec }: Wish): Phase {
  const mode = spec.restart === RestartMode.NEVER ? "never" : "on-failure";
  const what = `its program ended${exitCode === undefined ? "" : ` with exit code ${exitCode}`}`;
  const why = `and its wish says that it stays so (restart ${mode})`;
  const reason = `${what}, ${why}; to start it: orchestrator runtime start ${name}`;
  return { phase: RuntimePhase.ENDED, reason };
}

function paused(wish: Wish, { exitCode }: ObservedContainer, at: number): Phase {
  const { endsInARow } = wish;
  const what = wasStoppedForHealth(wish) ? stoppedSo(endsInARow) : endedSo(endsInARow, exitCode);
  return {
    phase: endsInARow > 1 ? RuntimePhase.CRASH_LOOP : RuntimePhase.STARTING,
    reason: `its program ${what}; it is started again at ${new Date(at).toISOString().replace(/\.\d+/, "")}`,
  };
}

function stoppedSo(endsInARow: number): string {
  if (endsInARow < 2) return "was stopped because it was unhealthy";
  return `ended or was stopped for its health ${endsInARow} times in a row, the last time because it was unhealthy`;
}

function withProblem(reason: string, problem: Failure | undefined): string {
  return problem ? `${reason}; ${problem.message}` : reason;
}

/** What its profile would give it and its container does not have, because the engine may not raise it on this machine. */
function withoutLimits({ spec }: Wish, { rlimits }: ObservedContainer): string {
  const missing = Object.keys(profileOf(spec).rlimits).filter((limit) => !rlimits.includes(limit));
  if (missing.length === 0) return "";
  return `, without the limits ${missing.join(" and ")}: the engine may not raise them on this machine`;
}

/** What it would get, were it not locked. */
function withoutRestart(wish: Wish, { judged, locks }: Known): string {
  if (locks.length === 0 || !isRestartDue(wish, judged)) return "";
  return `; it is unhealthy and is not restarted, because it is locked ${tellLocks(locks)}`;
}

/** Netmon keeps vNICs and devices without the daemon; the daemon just cannot tell. */
function withoutSight({ spec }: Wish, { netmon }: LanKnown): string {
  if (!isPluggable(spec) || netmon.at !== "away") return "";
  return `; its ${plugsOf(spec)} cannot be seen: ${netmon.problem.message}`;
}
