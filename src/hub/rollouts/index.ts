/**
 * Rollouts: wishes for many nodes, a batch at a time. What a rollout is and where each of its nodes is stands in the store;
 * `plan` decides who begins, who is late or left out, and when it is over; a node gets its wishes as one command of its queue,
 * in the same commit that says so. A hub that comes back goes on where the disk says it was.
 */
export { Rollouts } from "./rollouts.ts";
export { rolloutsSchema } from "./schema.ts";
