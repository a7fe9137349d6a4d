/**
 * The nodes of this hub: who belongs to it, who is connected, which of two claims to be a node is the newer, and a feed of
 * all that for watchers. Beats and samples are in memory only; membership, fences, who has whose line and last statuses are in
 * the store, where every replica of the hub finds them.
 */
export type { Outcast } from "./fence.ts";
export { Fleet } from "./fleet.ts";
export { fleetSchema } from "./records.ts";
export type { Removal } from "./removal.ts";
