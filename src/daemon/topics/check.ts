import type { PublishMessageRequest } from "../../../gen/edge/v1/topics_pb.ts";
import { failure, invalidFields } from "../../base/failure.ts";
import { ownAttributes } from "./filter.ts";
import { ownFirstParts } from "./pattern.ts";

/**
 * What nobody may publish, operator or agent.
 * @throws {Failure} denied: the topic is the node's own, or a tree's. invalid: an attribute is.
 */
export function checkDraft({ topic, attributes }: Pick<PublishMessageRequest, "topic" | "attributes">): void {
  const [first] = topic.split(".", 1);
  if (first === ownFirstParts.node) {
    throw failure(
      "denied",
      `${topic} is for facts of the node: publish to a topic that does not begin with node`,
    );
  }
  if (first === ownFirstParts.tree) {
    throw failure("denied", `${topic} is for what the tasks of a tree tell each other: use Tell`);
  }
  const violations = attributes.flatMap(({ key }, index) =>
    key.startsWith(ownAttributes)
      ? [{ field: `attributes[${index}].key`, message: `begins with ${ownAttributes}, which is ours` }]
      : [],
  );
  if (violations.length > 0) throw invalidFields(violations);
}
