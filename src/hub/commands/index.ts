/**
 * Commands on their way to nodes: one durable queue per node, in which a command waits for the node, is sent until the node
 * has it on its disk, and is kept with its one result.
 */
export { Commands } from "./commands.ts";
export type { Deliveries, Delivery } from "./deliveries.ts";
export { commandFacts } from "./facts.ts";
export { isCalledOffHere } from "./queue.ts";
export { commandsSchema } from "./schema.ts";
export type { Standing } from "./standing.ts";
