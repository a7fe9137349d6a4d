import { failure } from "../../base/failure.ts";
import {
  type Course,
  isOver,
  nodes,
  type Part,
  type Plan,
  type RolloutState,
  type Sight,
  type Step,
  type Undo,
} from "./part.ts";

/** Nodes that are named in a sentence; of more, how many. */
const named = 5;

/** Why a node cannot be brought back, where nothing of what it had is kept. */
const lost: Readonly<Partial<Record<Undo, string>>> = {
  unknown: "it did not say what it had before: look at it",
  too_large: "what it had before is more than an answer carries (512 KiB): apply the files of before",
};

/**
 * How what a rollout did is undone: everywhere at once, because what the nodes have is known to be wrong. Who is in work is awaited,
 * since only its answer says what it had; who has done nothing is left alone.
 */
export function goBack(course: Course, parts: readonly Part[], sight: Sight, stop: string): Plan {
  const steps = parts.flatMap((part) => stepBack(part, course, sight) ?? []);
  const begun = steps.filter(({ does }) => does === "goBack").length;
  const failedNow = steps.filter(({ does }) => does === "endBack").map(({ part }) => part);
  const under = parts.filter(({ back }) => back?.state === "running");
  const awaited = begun + under.filter((part) => !failedNow.includes(part)).length;
  const working = parts.filter(({ state }) => state === "running" || state === "settling").length;
  if (awaited + working > 0) {
    const reason = `${stop}; ${nodes(awaited + working)} ${awaited + working === 1 ? "goes" : "go"} back`;
    return { steps, state: "rolling_back", reason };
  }
  const stuck = [...parts.filter(({ back }) => back?.state === "failed"), ...failedNow];
  const done = parts.filter(({ back }) => back?.state === "done").length;
  return { steps, ...ending(course, { stop, done, stuck: stuck.map(({ nodeId }) => nodeId) }) };
}

function ending(
  { backBy }: Course,
  { stop, done, stuck }: { stop: string; done: number; stuck: readonly string[] },
): { state: RolloutState; reason: string } {
  const back =
    done === 0
      ? "no node had to go back"
      : `${nodes(done)} ${done === 1 ? "has" : "have"} what it had before`;
  if (stuck.length > 0) {
    const some = stuck.length > named ? [...stuck.slice(0, named), "..."] : stuck;
    return { state: "failed", reason: `${stop}; ${back}, and not rolled back: ${some.join(", ")}` };
  }
  const state: RolloutState = done > 0 || backBy !== "" ? "rolled_back" : "failed";
  if (!isOver(state)) throw new Error("a rollout that went back is over");
  return { state, reason: `${stop}; ${back}` };
}

function stepBack(part: Part, { timeoutMs }: Course, sight: Sight): Step | undefined {
  const { state, back, undo } = part;
  if (state === "settling") return { does: "settled", part };
  if (back?.state === "running") {
    if (!sight.settled || (back.deadlineAt ?? 0) > sight.now) return undefined;
    const sentence = `it did not answer within ${timeoutMs / 1000} s: if it has its command, it goes on with it`;
    return { does: "endBack", part, why: failure("deadline", sentence) };
  }
  if (back || (state !== "succeeded" && state !== "failed") || undo === "nothing") return undefined;
  if (!sight.has(part.nodeId)) {
    return { does: "endBack", part, why: failure("not_found", "it was removed from the fleet") };
  }
  if (undo === "before") return { does: "goBack", part };
  return {
    does: "endBack",
    part,
    why: failure("unavailable", lost[undo] ?? "what it had before is not kept"),
  };
}
