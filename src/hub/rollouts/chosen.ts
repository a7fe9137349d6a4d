import type { StartRolloutRequest } from "../../../gen/edge/v1/rollouts_pb.ts";
import { failure, invalidField } from "../../base/failure.ts";
import { parseSelector, type Requirement, requirementsOf } from "../../wire/selector.ts";
import type { Fleet } from "../fleet/index.ts";

const nodeLimit = 10_000;

/** What nodes are chosen from. */
export interface Choice {
  fleet: Pick<Fleet, "mustHave" | "matching">;
  /** The selector of a group. @throws {Failure} not_found. */
  selectorOf(group: string): Promise<string>;
  /** The tenant whose nodes may be meant; undefined for all. */
  tenant: string | undefined;
}

/**
 * The nodes of a rollout, in the order in which they are taken: those named, as they were named, or those that a selector or a group
 * means, by their ids. @throws {Failure} invalid, not_found, exhausted.
 */
export async function nodesOf(request: StartRolloutRequest, choice: Choice): Promise<string[]> {
  const { nodeIds, selector, where, group } = request;
  const ways = [nodeIds.length > 0, selector.length > 0, where !== "", group !== ""].filter(Boolean).length;
  if (ways > 1)
    throw invalidField(
      "node_ids",
      "is one way to choose nodes, and another is given: say only one of node_ids, selector, where and group",
    );
  if (ways === 0)
    throw invalidField("selector", "is required where none of node_ids, where and group is given");
  if (nodeIds.length > 0) {
    for (const id of nodeIds) choice.fleet.mustHave(id);
    return [...new Set(nodeIds)];
  }
  const { requirements, told } = await meant(request, choice);
  const found = choice.fleet.matching(requirements, choice.tenant);
  if (found.length === 0) {
    throw invalidField(
      group === "" ? "selector" : "group",
      `no node ${told}: see \`orchestrator node list\``,
    );
  }
  if (found.length <= nodeLimit) return found;
  throw failure(
    "exhausted",
    `the selector means ${found.length} nodes; at most ${nodeLimit} are allowed in one rollout: narrow it`,
  );
}

async function meant(
  { selector, where, group }: StartRolloutRequest,
  { selectorOf }: Choice,
): Promise<{ requirements: Requirement[]; told: string }> {
  if (group !== "") return { requirements: parseSelector(await selectorOf(group)), told: `is in ${group}` };
  if (where !== "") return { requirements: parseSelector(where), told: `has ${where}` };
  const labels = selector.map(({ key, value }) => `${key}=${value}`).join(",");
  return { requirements: requirementsOf(selector), told: `has ${labels}` };
}
