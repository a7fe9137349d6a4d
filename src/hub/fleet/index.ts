/**
 * The nodes of this hub: who belongs to it, who is connected, which of two claims to be a node is the newer, and a feed of
 * all that for watchers. Presence, beats and samples are in memory only; membership, fences and last statuses are in the
 * store.
 */
export type { Outcast } from "./fence.ts";
export { Fleet } from "./fleet.ts";
export { fleetSchema } from "./records.ts";
export type { Removal } from "./removal.ts";
