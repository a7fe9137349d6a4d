/**
 * Agents: programs that may be executed, each with what it is and may. Every version of a manifest is kept as it was deployed,
 * with the very image that it meant then; what is executed is one version, and no other.
 */

export { Agents, type AgentsOptions } from "./agents.ts";
export { applyAgents, checkAgents } from "./apply-wishes.ts";
export type { Deployed } from "./deployed.ts";
export { deployAgent, getAgent, listAgents, removeAgent, rollbackAgent } from "./handlers.ts";
export { planAgents } from "./plan-wishes.ts";
export { schema as agentsSchema } from "./store.ts";
