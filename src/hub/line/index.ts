/**
 * The hub's end of Control: a listener for nodes with their certificates, one session per connected node, and who of two
 * claimants is served. Commands go down from the queue of `commands`, reports go up into `reports`.
 */
export type { NodeStream, Visitor } from "./door.ts";
export { lineFacts } from "./facts.ts";
export { Line, type LineOptions } from "./line.ts";
