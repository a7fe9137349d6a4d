import { create } from "@bufbuild/protobuf";
import type { Result } from "../../../gen/edge/v1/command_pb.ts";
import { type RolloutNode, RolloutNodeSchema } from "../../../gen/edge/v1/rollouts_pb.ts";
import { failure } from "../../base/failure.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import { isCalledOffHere } from "../commands/index.ts";

/** How a node's part ended. */
export interface Verdict {
  state: "succeeded" | "failed" | "skipped";
  outcome: Outcome;
}

/** What is told of a node that has ended. */
export type Outcome = Pick<RolloutNode, "failure" | "runtimes" | "agents">;

/** What a node's answer means for its part: done is only who has done all of it. */
export function judge(result: Result): Verdict {
  const { outcome } = result;
  if (outcome.case === "failure") {
    const state = isCalledOffHere(result) ? "skipped" : "failed";
    return { state, outcome: create(RolloutNodeSchema, { failure: outcome.value }) };
  }
  if (outcome.case === undefined) return judgeMissing({ isMember: true });
  if (outcome.case !== "applyWishes") {
    const why = failure("internal", `the node answered with ${outcome.case} where wishes were applied`);
    return ended("failed", why);
  }
  // What differed can be long, and may hold what only those who command nodes may see.
  const runtimes = outcome.value.runtimes.map((one) => ({ ...one, changes: [] }));
  const agents = outcome.value.agents.map((one) => ({ ...one, changes: [] }));
  const first = [...runtimes, ...agents].find((one) => one.failure)?.failure;
  return {
    state: first ? "failed" : "succeeded",
    outcome: create(RolloutNodeSchema, { runtimes, agents, ...(first && { failure: first }) }),
  };
}

/** The verdict on a node in work whose command is not there any more. */
export function judgeMissing({ isMember }: { isMember: boolean }): Verdict {
  const why = isMember
    ? failure("unavailable", "its result is no longer kept by this hub: look at the node")
    : failure("not_found", "it was removed from the fleet");
  return ended("failed", why);
}

/** A part that the hub ends by itself. */
export function ended(state: Verdict["state"], why: Parameters<typeof toFailureMessage>[0]): Verdict {
  return { state, outcome: create(RolloutNodeSchema, { failure: toFailureMessage(why) }) };
}
