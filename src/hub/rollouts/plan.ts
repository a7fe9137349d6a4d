import { type Failure, failure } from "../../base/failure.ts";

/** Where a node of a rollout is. */
export type PartState = "waiting" | "running" | "succeeded" | "failed" | "skipped";

/** A node of a rollout, at its place in the order in which nodes are taken. */
export interface Part {
  readonly place: number;
  readonly nodeId: string;
  readonly state: PartState;
  /** When it has failed if it has not answered, in milliseconds since 1970; absent before its batch began. */
  readonly deadlineAt?: number;
}

/** What was asked of a rollout. */
export interface Course {
  /** Nodes of one batch. */
  batch: number;
  maxFailures: number;
  timeoutMs: number;
  skipOffline: boolean;
  /** Who called it off; empty when nobody did. */
  calledOffBy: string;
}

/** What is known of the nodes now. */
export interface Sight {
  now: number;
  /** Whether nodes have had the time to come back since the hub began: before, one that is silent is not late, nor away. */
  settled: boolean;
  has(nodeId: string): boolean;
  isConnected(nodeId: string): boolean;
}

/** What is to happen to a node. */
export type Step =
  | { readonly does: "begin"; readonly part: Part }
  | {
      readonly does: "end";
      readonly part: Part;
      readonly state: "failed" | "skipped";
      readonly why: Failure;
    };

export type RolloutState = "running" | "succeeded" | "failed" | "cancelled";

/** What is to happen, and where the rollout is when it has. */
export interface Plan {
  steps: Step[];
  state: RolloutState;
  /** Why it is there, as a sentence. */
  reason: string;
}

/**
 * Decides what happens next. Batches are the nodes in their order, `batch` of them at a time; one begins when all nodes of the
 * one before have ended, so that what a first batch shows is known before others begin. When too many have failed, or the
 * rollout was called off, who has not begun is left out and who is in work is awaited.
 */
export function plan(course: Course, parts: readonly Part[], sight: Sight): Plan {
  const late = parts.filter((part) => isLate(part, sight)).map(tooLate(course));
  const running = parts.filter(({ state }) => state === "running").length - late.length;
  const failed = parts.filter(({ state }) => state === "failed").length + late.length;
  const stop = whyStop(course, failed);
  if (stop !== undefined) {
    const why = failure("cancelled", `it was left out: ${stop}`);
    const left = parts
      .filter(({ state }) => state === "waiting")
      .map((part): Step => ({ does: "end", part, state: "skipped", why }));
    if (running > 0) {
      const reason = `${stop}; ${nodes(running)} in work ${running === 1 ? "is" : "are"} awaited`;
      return { steps: [...late, ...left], state: "running", reason };
    }
    const state = course.calledOffBy === "" ? "failed" : "cancelled";
    return { steps: [...late, ...left], state, reason: stop };
  }
  return goOn(course, parts, late, sight);
}

/** Begins what can begin of the first batch that has not ended; batches of which all are left out are passed over. */
function goOn(course: Course, parts: readonly Part[], late: Step[], sight: Sight): Plan {
  const steps = [...late];
  const ended = new Set(late.map(({ part }) => part.place));
  for (let first = 0; first < parts.length; first += course.batch) {
    let isOver = true;
    for (const part of parts.slice(first, first + course.batch)) {
      if (part.state === "running" && !ended.has(part.place)) isOver = false;
      if (part.state !== "waiting") continue;
      const step = turnOf(part, course, sight);
      if (step) steps.push(step);
      if (step?.does !== "end") isOver = false;
    }
    if (isOver) continue;
    const [batch, of] = [first / course.batch + 1, Math.ceil(parts.length / course.batch)];
    return { steps, state: "running", reason: `batch ${batch} of ${of} is in work` };
  }
  return { steps, state: "succeeded", reason: "all batches have ended" };
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

function isLate({ state, deadlineAt = 0 }: Part, { now, settled }: Sight): boolean {
  return state === "running" && settled && deadlineAt <= now;
}

function tooLate({ timeoutMs }: Course) {
  const sentence =
    `it did not answer within ${timeoutMs / 1000} s of the beginning of its batch: ` +
    "if it has its command, it goes on with it";
  return (part: Part): Step => ({ does: "end", part, state: "failed", why: failure("deadline", sentence) });
}

function whyStop({ calledOffBy, maxFailures }: Course, failed: number): string | undefined {
  if (calledOffBy !== "") return `the rollout was called off by ${calledOffBy}`;
  if (failed <= maxFailures) return undefined;
  return `${nodes(failed)} failed, and ${maxFailures === 0 ? "none" : `at most ${maxFailures}`} may`;
}

function nodes(count: number): string {
  return count === 1 ? "1 node" : `${count} nodes`;
}
