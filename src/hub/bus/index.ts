/**
 * What replicas of a hub say to one another while it happens: hints that something changed, and questions to the one that
 * has a node's line. Never truth: a message may be lost, and whoever acts on one also finds in the store what it told of.
 */
export type { Bus } from "./bus.ts";
export { InProcessBus } from "./in-process.ts";
export { openBus } from "./open.ts";
export { busSettings } from "./settings.ts";
