import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { type StartRolloutRequest, StartRolloutRequestSchema } from "../../../gen/edge/v1/rollouts_pb.ts";
import type { ApplyWishesRequest } from "../../../gen/edge/v1/wishes_pb.ts";
import { failure, invalidField } from "../../base/failure.ts";
import { maxBudgetMs } from "../../wire/limits.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Course } from "./plan.ts";

const defaultTimeoutMs = 3_600_000;
const nodeLimit = 10_000;

/**
 * The nodes of a rollout, in the order in which they are taken: those named, as they were named, or those with the labels, by
 * their ids. @throws {Failure} invalid, not_found, exhausted.
 */
export function nodesOf(
  { nodeIds, selector }: StartRolloutRequest,
  fleet: Pick<Fleet, "mustHave" | "matching">,
): string[] {
  if (nodeIds.length > 0 && selector.length > 0) {
    throw invalidField("selector", "is given beside node_ids: choose nodes by one of them");
  }
  if (nodeIds.length > 0) {
    for (const id of nodeIds) fleet.mustHave(id);
    return [...new Set(nodeIds)];
  }
  if (selector.length === 0) throw invalidField("selector", "is required where node_ids is empty");
  const found = fleet.matching(selector.map(({ key, value }) => ({ key, isNegated: false, values: [value] })));
  if (found.length === 0) {
    const labels = selector.map(({ key, value }) => `${key}=${value}`).join(",");
    throw invalidField("selector", `no node has ${labels}: see \`orchestrator node list\``);
  }
  if (found.length <= nodeLimit) return found;
  throw failure(
    "exhausted",
    `the selector means ${found.length} nodes; at most ${nodeLimit} are allowed in one rollout: narrow it`,
  );
}

/** What was asked, with what was left out filled in. */
export function courseOf(request: StartRolloutRequest, size: number): Course {
  const { batch, maxFailures, nodeTimeoutMs, skipOffline } = request;
  return {
    batch: batchOf(batch, size),
    maxFailures,
    timeoutMs: Number(nodeTimeoutMs) || defaultTimeoutMs,
    skipOffline,
    calledOffBy: "",
  };
}

/** How many of `size` nodes a batch is: `5`, `10%` rounded up, or all when it is empty. */
export function batchOf(text: string, size: number): number {
  if (text === "") return size;
  if (!text.endsWith("%")) return Number(text);
  return Math.ceil((size * Number(text.slice(0, -1))) / 100);
}

/** Equal for equal requests. */
export function hashOf(request: StartRolloutRequest): Uint8Array {
  return createHash("sha256").update(toBinary(StartRolloutRequestSchema, request)).digest();
}

/** The id of the command of the node at a place. One node of one rollout has one, whatever happens to the hub. */
export function commandIdOf(rolloutId: string, place: number): string {
  return `${rolloutId}-${place + 1}`;
}

/** The rollout and the place that a command id says, whether or not there is such a rollout. */
export function partOf(commandId: string): { rolloutId: string; place: number } {
  const at = commandId.lastIndexOf("-");
  return { rolloutId: commandId.slice(0, Math.max(0, at)), place: Number(commandId.slice(at + 1)) - 1 };
}

/** The command that a node gets. */
export function commandOf(
  id: string,
  wishes: ApplyWishesRequest,
  { actor, timeoutMs }: { actor: string; timeoutMs: number },
): Command {
  return create(CommandSchema, {
    id,
    actor,
    budgetMs: Math.min(timeoutMs, maxBudgetMs),
    request: { case: "applyWishes", value: wishes },
  });
}
