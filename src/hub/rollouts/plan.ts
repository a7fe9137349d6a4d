import { failure } from "../../base/failure.ts";
import { goBack } from "./back.ts";
import { gate } from "./gate.ts";
import { type Course, isOver, nodes, type Part, type Plan, type Sight, type Step } from "./part.ts";

/**
 * Decides what happens next. Batches are the nodes in their order, `batch` of them at a time; one begins when all nodes of the
 * one before have ended, so that what a first batch shows is known before others begin. When too many have failed, or the
 * rollout was called off, who has not begun is left out and who is in work is awaited; what was done is undone where that is wished.
 */
export function plan(course: Course, parts: readonly Part[], sight: Sight): Plan {
  const seen = parts.flatMap((part) => seenStep(part, course, sight) ?? []);
  const byPlace = new Map(seen.map((step) => [step.part.place, step]));
  const now = parts.map((part) => after(part, byPlace.get(part.place)));
  const failed = now.filter(({ state }) => state === "failed").length;
  const stop = whyStop(course, failed);
  if (stop === undefined) return withSteps(seen, goOn(course, now, sight));
  const why = failure("cancelled", `it was left out: ${stop}`);
  const left = now
    .filter(({ state }) => state === "waiting")
    .map((part): Step => ({ does: "end", part, state: "skipped", why }));
  const isUndone = course.backBy !== "" || (course.rollBack && failed > course.maxFailures);
  if (isUndone) return withSteps([...seen, ...left], goBack(course, now, sight, stop));
  const working = inWork(now);
  if (working > 0) {
    const reason = `${stop}; ${nodes(working)} in work ${working === 1 ? "is" : "are"} awaited`;
    return { steps: [...seen, ...left], state: "running", reason };
  }
  const state = course.calledOffBy === "" ? "failed" : "cancelled";
  return { steps: [...seen, ...left], state, reason: stop };
}

/** Puts steps before those of a plan. A part has one step at a time: what comes after it is seen with the next look. */
function withSteps(first: readonly Step[], { steps, state, reason }: Plan): Plan {
  const places = new Set(first.map(({ part }) => part.place));
  const others = steps.filter(({ part }) => !places.has(part.place));
  const isCut = others.length < steps.length && isOver(state);
  return { steps: [...first, ...others], state: isCut ? "rolling_back" : state, reason };
}

/** What of a node in work is seen now. */
function seenStep(part: Part, course: Course, sight: Sight): Step | undefined {
  if (part.state === "settling") return gate(part, course, sight);
  if (!isLate(part, sight)) return undefined;
  const sentence =
    `it did not answer within ${course.timeoutMs / 1000} s of the beginning of its batch: ` +
    "if it has its command, it goes on with it";
  return { does: "end", part, state: "failed", why: failure("deadline", sentence) };
}

function isLate({ state, deadlineAt = 0 }: Part, { now, settled }: Sight): boolean {
  return state === "running" && settled && deadlineAt <= now;
}

/** The part as it is after its step. */
function after(part: Part, step: Step | undefined): Part {
  if (step?.does === "end") return { ...part, state: step.state };
  if (step?.does === "settled") return { ...part, state: "succeeded" };
  return part;
}

function inWork(parts: readonly Part[]): number {
  return parts.filter(({ state }) => state === "running" || state === "settling").length;
}

/** Begins what can begin of the first batch that has not ended; batches of which all are left out are passed over. */
function goOn(course: Course, parts: readonly Part[], sight: Sight): Plan {
  const steps: Step[] = [];
  for (let first = 0; first < parts.length; first += course.batch) {
    const batch = parts.slice(first, first + course.batch);
    let isOver = inWork(batch) === 0;
    for (const part of batch.filter(({ state }) => state === "waiting")) {
      const step = course.pausedBy === "" ? turnOf(part, course, sight) : undefined;
      if (step) steps.push(step);
      if (step?.does !== "end") isOver = false;
    }
    if (isOver) continue;
    return { steps, ...whereOf(course, parts, first) };
  }
  return { steps, state: "succeeded", reason: "all batches have ended" };
}

function whereOf({ batch, pausedBy }: Course, parts: readonly Part[], first: number): Omit<Plan, "steps"> {
  if (pausedBy !== "" && parts.some(({ state }) => state === "waiting")) {
    const working = inWork(parts);
    const rest = working === 0 ? "" : `; ${nodes(working)} in work ${working === 1 ? "goes" : "go"} on`;
    return { state: "paused", reason: `the rollout is held by ${pausedBy}${rest}` };
  }
  const [number, of] = [first / batch + 1, Math.ceil(parts.length / batch)];
  return { state: "running", reason: `batch ${number} of ${of} is in work` };
}

/** What happens to a node whose batch is in work; undefined while it is not known whether it is away. */
function turnOf(part: Part, { skipOffline }: Course, sight: Sight): Step | undefined {
  if (!sight.has(part.nodeId)) {
    const why = failure("not_found", "it was removed from the fleet before its turn");
    return { does: "end", part, state: "skipped", why };
  }
  if (!skipOffline || sight.isConnected(part.nodeId)) return { does: "begin", part };
  if (!sight.settled) return undefined;
  const why = failure("unavailable", "it was away when its batch began");
  return { does: "end", part, state: "skipped", why };
}

function whyStop({ calledOffBy, maxFailures, backBy }: Course, failed: number): string | undefined {
  if (backBy !== "") return `the rollout was rolled back by ${backBy}`;
  if (calledOffBy !== "") return `the rollout was called off by ${calledOffBy}`;
  if (failed <= maxFailures) return undefined;
  return `${nodes(failed)} failed, and ${maxFailures === 0 ? "none" : `at most ${maxFailures}`} may`;
}
