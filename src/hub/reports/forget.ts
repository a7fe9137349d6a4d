import type { Store } from "../store/index.ts";
import { lastPosition } from "./events.ts";

/** What is kept of events. */
export interface Keeping {
  /** Events of all nodes together, without heads of audit trails. */
  events: number;
  /** How long an event is kept, in milliseconds. */
  eventsMs: number;
  /** How long the head of an audit trail is kept, in milliseconds. */
  auditMs: number;
}

const dayMs = 24 * 3_600_000;

/** As the settings have it when nobody says otherwise: a busy fleet of a thousand nodes keeps a day or two. */
export const defaultKeeping: Keeping = { events: 100_000, eventsMs: 30 * dayMs, auditMs: 400 * dayMs };

/** Rows that one statement deletes: about ten milliseconds, in which those who write events wait for nothing. */
const perStatement = 1000;

/**
 * Forgets the oldest events, a little at a time and beside the work of the hub. Several hubs may do it at once. Ends early when
 * the signal is aborted.
 */
export async function forgetEvents(
  store: Store,
  { events, eventsMs, auditMs }: Keeping,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const last = await lastPosition(store);
  await forget(store, { isAudit: 0, through: last - events, before: now - eventsMs }, signal);
  await forget(store, { isAudit: 1, through: 0, before: now - auditMs }, signal);
}

/** Those up to a position, and those from before a time. Of one that an older hub kept, no time is known. */
async function forget(
  store: Store,
  { isAudit, through, before }: { isAudit: number; through: number; before: number },
  signal: AbortSignal,
): Promise<void> {
  for (let gone = perStatement; gone === perStatement && !signal.aborted; ) {
    gone = await store.write(
      (tx) =>
        tx.run(
          `DELETE FROM events WHERE (position <= $2 OR kept_at BETWEEN 1 AND $3) AND position IN
             (SELECT position FROM events WHERE is_audit = $1 ORDER BY position LIMIT ${perStatement})`,
          ...[isAudit, through, before],
        ),
      ["old events"],
    );
  }
}
