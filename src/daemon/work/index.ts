/**
 * Commands being carried out, whichever door they came through: accepted once and kept, run once per id, in order per
 * workload, within their budget, answered once. A lost line cancels nothing, and a daemon that comes back takes up what it
 * had accepted.
 */
export type { Ask, Handler, Table } from "./ask.ts";
export type { Dispatch } from "./carry-out.ts";
export { workFacts } from "./facts.ts";
export type { Guard } from "./guard.ts";
export { schema } from "./store.ts";
export { Work } from "./work.ts";
