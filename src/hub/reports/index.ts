/**
 * What nodes report, taken to disk before it is acknowledged: results go to their commands, events are kept, bounded, for
 * whoever watches. Each report is stored once, however often it comes.
 */
export { reportFacts } from "./facts.ts";
export type { Intake } from "./intake.ts";
export { Reports, type WatchEvents } from "./reports.ts";
export { reportsSchema } from "./schema.ts";
