import { create } from "@bufbuild/protobuf";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { type RolloutNode, RolloutNodeSchema } from "../../../gen/edge/v1/rollouts_pb.ts";
import {
  type ApplyWishesResponse,
  PlannedAction,
  type WishesBefore,
} from "../../../gen/edge/v1/wishes_pb.ts";
import { failure } from "../../base/failure.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import { isCalledOffHere, type Standing } from "../commands/index.ts";
import type { Undo } from "./part.ts";

/** How a node's part ended. */
export interface Verdict {
  state: "succeeded" | "failed" | "skipped";
  outcome: Outcome;
  /** What is to be undone if the rollout is. */
  undo: Undo;
  before?: WishesBefore;
}

/** What is told of a node that has ended. */
export type Outcome = Pick<RolloutNode, "failure" | "runtimes" | "agents">;

/** Refusals of a whole command: then nothing of it was done. */
const refusals: readonly FailureKind[] = [
  ...[FailureKind.INVALID, FailureKind.DENIED, FailureKind.UNSUPPORTED, FailureKind.NOT_FOUND],
  ...[FailureKind.CONFLICT, FailureKind.EXHAUSTED],
];

/** What a node's answer means for its part, undefined while there is none: done is only who has done all of it. */
export function judge({ result, expired }: Standing): Verdict | undefined {
  if (!result) return undefined;
  const { outcome } = result;
  if (outcome.case === "failure") {
    const isCalledOff = isCalledOffHere(result);
    const isRefused = isCalledOff || expired || refusals.includes(outcome.value.kind);
    return {
      state: isCalledOff ? "skipped" : "failed",
      outcome: create(RolloutNodeSchema, { failure: outcome.value }),
      undo: isRefused ? "nothing" : "unknown",
    };
  }
  if (outcome.case === undefined) return judgeMissing({ isMember: true });
  if (outcome.case !== "applyWishes") {
    const why = failure("internal", `the node answered with ${outcome.case} where wishes were applied`);
    return ended("failed", why, "unknown");
  }
  // What differed can be long, and may hold what only those who command nodes may see.
  const runtimes = outcome.value.runtimes.map((one) => ({ ...one, changes: [] }));
  const agents = outcome.value.agents.map((one) => ({ ...one, changes: [] }));
  const first = [...runtimes, ...agents].find((one) => one.failure)?.failure;
  return {
    state: first ? "failed" : "succeeded",
    outcome: create(RolloutNodeSchema, { runtimes, agents, ...(first && { failure: first }) }),
    ...undoOf(outcome.value),
  };
}

/** What there is to undo. A node that left all alone has nothing; an older one does not say what it had. */
function undoOf({ runtimes, agents, before }: ApplyWishesResponse): Pick<Verdict, "undo" | "before"> {
  const isUntouched = [...runtimes, ...agents].every(({ action }) => action === PlannedAction.KEEP);
  if (isUntouched) return { undo: "nothing" };
  if (!before) return { undo: "unknown" };
  return before.tooLarge ? { undo: "too_large" } : { undo: "before", before };
}

/** The verdict on a node in work whose command is not there any more. */
export function judgeMissing({ isMember }: { isMember: boolean }): Verdict {
  const why = isMember
    ? failure("unavailable", "its result is no longer kept by this hub: look at the node")
    : failure("not_found", "it was removed from the fleet");
  return ended("failed", why, "unknown");
}

/** A part that the hub ends by itself. */
export function ended(
  state: Verdict["state"],
  why: Parameters<typeof toFailureMessage>[0],
  undo: Undo,
): Verdict {
  return { state, outcome: create(RolloutNodeSchema, { failure: toFailureMessage(why) }), undo };
}
