import type { NodeRecord } from "./records.ts";

/** The fleet in numbers, whatever its size. */
export interface Totals {
  nodes: number;
  /** With a line that is up. */
  connected: number;
  /** With a warning that nobody has looked at. */
  warned: number;
  /** Whose certificate ends within a week, or has ended. */
  expiring: number;
  /** Commands without a result. */
  pendingCommands: number;
}

const weekMs = 7 * 24 * 3_600_000;

/** Counted from the records themselves: to make a picture of each node for this would be dear. */
export function totalsOf(records: Iterable<NodeRecord>, now: number): Totals {
  const totals: Totals = { nodes: 0, connected: 0, warned: 0, expiring: 0, pendingCommands: 0 };
  for (const { connected, warning, certificateExpiresAt, pending } of records) {
    totals.nodes++;
    if (connected) totals.connected++;
    if (warning !== "") totals.warned++;
    if (certificateExpiresAt < now + weekMs) totals.expiring++;
    totals.pendingCommands += pending;
  }
  return totals;
}
