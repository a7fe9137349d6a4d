import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Failure } from "../../base/failure.ts";
import type { ObservedContainer } from "./observed.ts";
import { isUp } from "./plan.ts";
import { profileOf } from "./profile.ts";
import type { Wish } from "./store.ts";
import type { LanKnown } from "./vnics.ts";

/** What the loop knows beside wish and container. */
export interface Known {
  /** Why the engine cannot be asked; undefined when it can. */
  away: Failure | undefined;
  /** What is being done; empty when nothing is. */
  doing: string;
  /** Why it is not as wished. */
  problem: Failure | undefined;
  lan: LanKnown;
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
  if (wish.desired === "stopped") {
    if (seen && isUp(seen))
      return { phase: RuntimePhase.STOPPING, reason: withProblem("it is being stopped", problem) };
    return { phase: RuntimePhase.STOPPED, reason: "it was stopped by a command" };
  }
  return phaseOfWanted(wish, seen, known);
}

function phaseOfWanted(wish: Wish, seen: ObservedContainer | undefined, known: Known): Phase {
  const { doing, problem, lan } = known;
  if (seen?.state === "paused") {
    const reason = `its container was paused, and not by this daemon: docker unpause ${seen.name}`;
    return { phase: RuntimePhase.FAILED, reason };
  }
  if (seen?.state === "restarting" && wish.stage === "made") {
    const reason = `it ended with exit code ${seen.exitCode}, and the engine is about to start it again`;
    return { phase: RuntimePhase.STARTING, reason };
  }
  if (seen && isUp(seen) && wish.stage === "made") {
    const reason = `its container runs${withoutLimits(wish, seen)}${withoutSight(wish, lan)}`;
    return { phase: RuntimePhase.RUNNING, reason };
  }
  if (doing === "pulling image") return { phase: RuntimePhase.PULLING, reason: withProblem(doing, problem) };
  if (problem && wish.stage === "made") {
    return { phase: RuntimePhase.FAILED, reason: `${problem.message}; it is tried again` };
  }
  return { phase: RuntimePhase.STARTING, reason: withProblem(doing || "it is about to be started", problem) };
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

/** Netmon keeps vNICs up without the daemon; the daemon just cannot tell. */
function withoutSight({ spec }: Wish, { netmon }: LanKnown): string {
  if (spec.vnics.length === 0 || netmon.at !== "away") return "";
  return `; its vNICs cannot be seen: ${netmon.problem.message}`;
}
