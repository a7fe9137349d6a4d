import { create } from "@bufbuild/protobuf";
import type { AgentRights } from "../../../gen/edge/v1/agents_pb.ts";
import { type TopicFilter, TopicFilterSchema } from "../../../gen/edge/v1/topics_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import { covers, ownFirstParts } from "../topics/index.ts";

/** Whose rights they are. */
interface Holder {
  agent: string;
  rights: AgentRights | undefined;
}

/** The lists of names and patterns among the rights. */
type Named = "publish" | "subscribe" | "spawn" | "call";

/** @throws {Failure} denied: the manifest does not name the topic. */
export function checkPublish({ agent, rights }: Holder, topic: string): void {
  if (!rights?.publish.some((allowed) => covers(allowed, topic)))
    throw denied(agent, "publish", "message.topic", topic);
}

/** @throws {Failure} denied: the manifest does not name the agent. */
export function checkAgent({ agent, rights }: Holder, right: "spawn" | "call", name: string): void {
  if (!rights?.[right].includes(name)) throw denied(agent, right, "agent", name);
}

/**
 * The filter as it is meant, for a task of the tree of `rootId`: without topics it is all that the agent may subscribe to.
 * @throws {Failure} denied: a topic of it is not within the rights.
 */
export function subscribable(
  { agent, rights }: Holder,
  rootId: string,
  asked: TopicFilter | undefined,
): TopicFilter {
  const own = `${ownFirstParts.tree}.${rootId}`;
  const allowed = rights?.subscribe ?? [];
  const filter = asked ?? create(TopicFilterSchema);
  if (filter.topics.length === 0) return { ...filter, topics: [...allowed.filter(isNoTrees), own] };
  for (const [index, topic] of filter.topics.entries()) {
    const isAllowed = topic === own || (isNoTrees(topic) && allowed.some((one) => covers(one, topic)));
    if (!isAllowed) throw denied(agent, "subscribe", `filter.topics[${index}]`, topic);
  }
  return filter;
}

function isNoTrees(pattern: string): boolean {
  return pattern.split(".", 1)[0] !== ownFirstParts.tree;
}

/** The word of the failure is the right that is missing, as a rule of policy would be called. */
function denied(agent: string, right: Named, field: string, what: string): Failure {
  const does = { publish: "publish to", subscribe: "subscribe to", spawn: "execute", call: "call" }[right];
  const sentence = `agent ${agent} may not ${does} ${what}: its manifest would have to name it in rights.${right}`;
  return failure("denied", sentence, { word: `rights.${right}`, violations: [{ field, message: sentence }] });
}
