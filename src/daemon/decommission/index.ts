/**
 * Taking the node out of service: its workloads are removed or left alone, whoever asked is told, and then the node forgets who
 * it is. Each step is on disk before the next begins, so that a power cut at any moment is followed by the rest of it.
 */
export { Decommission } from "./decommission.ts";
export { decommission, planDecommission } from "./handlers.ts";
export { schema } from "./store.ts";
