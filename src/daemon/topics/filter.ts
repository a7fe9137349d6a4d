import { MessageUrgency, type TopicFilter, type TopicMessage } from "../../../gen/edge/v1/topics_pb.ts";
import { matcherOf, ownFirstParts } from "./pattern.ts";

/** Whether a message is wanted. Its topic comes taken apart, because many ask about the same one. */
export type Wanted = (message: TopicMessage, topic: readonly string[]) => boolean;

/** The attribute that says which task of a tree something is told to. Keys that begin so are nobody's to publish with. */
export const ownAttributes = "edge.";
export const toAttribute = `${ownAttributes}to`;

/** A filter as a question. Nothing at all wants everything, but what the tasks of a tree tell each other; of that, a task gets what is for it. */
export function wantedBy(filter: TopicFilter | undefined, taskId: string): Wanted {
  const { topics = [], publisher = "", attributes = [], urgency = 0, correlationId = "" } = filter ?? {};
  const named = (topics.length === 0 ? [">"] : topics).map(matcherOf);
  return (message, topic) =>
    named.some((names) => names(topic)) &&
    (topic[0] !== ownFirstParts.tree || taskId === "" || isToldTo(taskId, message)) &&
    (publisher === "" || message.publisher === publisher) &&
    (correlationId === "" || message.correlationId === correlationId) &&
    (urgency === 0 || urgencyOf(message) >= urgency) &&
    attributes.every(({ key, value }) =>
      message.attributes.some((one) => one.key === key && one.value === value),
    );
}

/** What a task tells its tree is for the others, or for one of them. */
function isToldTo(taskId: string, message: TopicMessage): boolean {
  const to = message.attributes.find(({ key }) => key === toAttribute)?.value;
  return to === undefined ? message.taskId !== taskId : to === taskId;
}

function urgencyOf({ urgency }: TopicMessage): MessageUrgency {
  return urgency === MessageUrgency.UNSPECIFIED ? MessageUrgency.NORMAL : urgency;
}
