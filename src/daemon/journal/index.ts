/**
 * The journal: every result and event of this node, in order, on disk, until the hub has it on its own. Results and events
 * leave the node only through here, so that a lost link delays them and never loses them. Of what the hub has, the newest
 * events stay for a while, for whoever asks the node itself.
 */

export type { JournalLimit } from "./bound.ts";
export { listEvents } from "./handlers.ts";
export { type Entry, Journal, type Kept, schema } from "./journal.ts";
