/**
 * Commands on their way to nodes: one durable queue per node, in which a command waits for the node, is sent until the node
 * has it on its disk, and is kept with its one result.
 */
export { commandsSchema } from "./schema.ts";
export { type CommandNews, Commands, type CommandsOptions, type Delivery } from "./commands.ts";
