import type { Status } from "../../../gen/edge/v1/control_pb.ts";
import { DesiredState, RuntimePhase, type RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Course, Part, Sight, Step, Wellbeing } from "./part.ts";

/** Phases in which a runtime is as its wish says, or as somebody stopped it. */
const atRest: readonly RuntimePhase[] = [RuntimePhase.STOPPED, RuntimePhase.ENDED];

/** What a node lacks that is healthy. */
const healthySoFar = "it is healthy, and has to stay so";

/** What the runtimes that were wished for are, by what their node said last. Agents run when they are asked to: they have no health. */
export function wellbeingOf(
  wished: readonly Pick<RuntimeSpec, "name" | "desired">[],
  status?: Status,
): Wellbeing {
  let restarts = 0;
  let lack: string | undefined;
  for (const { name, desired } of wished) {
    const runtime = status?.runtimes.find((one) => one.name === name);
    if (!runtime) {
      lack ??= `runtime ${name} is not there yet`;
      continue;
    }
    const because = runtime.reason === "" ? "" : `: ${runtime.reason}`;
    if (runtime.phase === RuntimePhase.CRASH_LOOP) {
      return { is: "broken", says: `runtime ${name} is in a crash loop${because}` };
    }
    restarts += runtime.restarts;
    const mayRest = desired !== DesiredState.RUNNING || runtime.phase === RuntimePhase.ENDED;
    if (mayRest && atRest.includes(runtime.phase)) continue;
    if (runtime.phase !== RuntimePhase.RUNNING) lack ??= `runtime ${name} does not run${because}`;
    else if (runtime.health === Health.UNHEALTHY) lack ??= `runtime ${name} is unhealthy${because}`;
    else if (runtime.health === Health.STARTING)
      lack ??= `runtime ${name} has not answered its health check yet`;
  }
  return lack === undefined ? { is: "well", restarts } : { is: "coming", says: lack };
}

/**
 * What happens to a node that settles: it has, it never will, or what was seen of it is to be remembered. A node that is away can
 * neither pass nor break what it has shown: a line that flaps stops no program. A restart begins the time anew.
 */
export function gate(part: Part, { settleMs }: Course, sight: Sight): Step | undefined {
  if (!sight.has(part.nodeId)) {
    return { does: "end", part, state: "failed", why: failure("not_found", "it was removed from the fleet") };
  }
  const isConnected = sight.isConnected(part.nodeId);
  const seen = isConnected ? sight.wellbeing(part.nodeId) : undefined;
  if (seen?.is === "broken")
    return { does: "end", part, state: "failed", why: failure("unavailable", seen.says) };
  const { since, restarts } = part.healthy ?? {};
  if (
    seen?.is === "well" &&
    since !== undefined &&
    restarts === seen.restarts &&
    sight.now - since >= settleMs
  ) {
    return { does: "settled", part };
  }
  if (sight.settled && (part.deadlineAt ?? 0) <= sight.now) {
    const lack =
      seen?.is === "coming" ? seen.says : isConnected ? "its runtimes did not stay up" : "it was away";
    const sentence = `it was not healthy for ${settleMs / 1000} s in time: ${lack}`;
    return { does: "end", part, state: "failed", why: failure("deadline", sentence) };
  }
  return seen && noted(part, seen, sight.now);
}

function noted(part: Part, seen: Exclude<Wellbeing, { is: "broken" }>, now: number): Step | undefined {
  const { healthy, waitsFor, ...rest } = part;
  if (seen.is === "coming") {
    if (!healthy && waitsFor === seen.says) return undefined;
    return { does: "note", part: { ...rest, waitsFor: seen.says } };
  }
  if (healthy?.restarts === seen.restarts) return undefined;
  return {
    does: "note",
    part: { ...rest, healthy: { since: now, restarts: seen.restarts }, waitsFor: healthySoFar },
  };
}
