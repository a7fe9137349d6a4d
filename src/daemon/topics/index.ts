/**
 * Topics: messages between agents, and between agents and those outside, by publish and subscribe. What was published is on disk
 * before anybody sees it, and is kept for a while; a subscriber that is slow loses what it chose to lose, and slows nobody.
 */
export { checkDraft } from "./check.ts";
export { publishFacts } from "./facts.ts";
export { toAttribute } from "./filter.ts";
export { listDeadLetters, listSubscriptions, publishMessage, readMessages } from "./handlers.ts";
export { covers, ownFirstParts, treeTopic } from "./pattern.ts";
export { topicSettings, topicsKeptOf } from "./settings.ts";
export { Topics } from "./topics.ts";
