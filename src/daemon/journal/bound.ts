import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EventSchema, type Gap } from "../../../gen/edge/v1/events_pb.ts";
import type { Sql } from "../../base/sql.ts";

/** How much a journal holds, or may hold. */
export interface JournalLimit {
  entries: number;
  /** Of encoded entries, in bytes. */
  bytes: number;
}

/** Room is made for this part of the limit at once, so that a full journal does not pay for it at each append. */
const part = 0.02;

interface Dropped {
  sequence: number;
  bytes: number;
}

/**
 * Brings a journal that is over its limit a little below it, and says whether it had to. Drops the oldest events, then, if
 * there are none left, the oldest results; the newest entry always stays. One Gap event, in the place of the last entry
 * that was dropped, tells a reader what it will not get; an earlier Gap that nobody has read yet is merged into it.
 * Call it within a transaction.
 */
export function makeRoom(sql: Sql, held: JournalLimit, limit: JournalLimit, now: number): boolean {
  const over = { entries: held.entries - limit.entries, bytes: held.bytes - limit.bytes };
  if (over.entries <= 0 && over.bytes <= 0) return false;
  // One more than is over, because the Gap event takes a place itself.
  const wanted = {
    entries: over.entries + 1 + Math.floor(limit.entries * part),
    bytes: over.bytes + Math.floor(limit.bytes * part),
  };
  const dropped = oldest(sql, "event", wanted);
  const freed = dropped.reduce((sum, one) => sum + one.bytes, 0);
  const still = { entries: over.entries + 1 - dropped.length, bytes: over.bytes - freed };
  if (still.entries > 0 || still.bytes > 0) dropped.push(...oldest(sql, "result", still));
  if (dropped.length === 0) return false;
  for (const { sequence } of dropped) sql.run("DELETE FROM journal_entries WHERE sequence = ?", sequence);
  leaveGap(sql, dropped, now);
  return true;
}

/** The oldest entries of a kind that together reach what is wanted, without the newest entry of all. */
function oldest(sql: Sql, kind: "event" | "result", wanted: JournalLimit): Dropped[] {
  const found: Dropped[] = [];
  let bytes = 0;
  let after = 0;
  while (found.length < wanted.entries || bytes < wanted.bytes) {
    const rows = sql.all(
      `SELECT sequence, length(entry) AS bytes FROM journal_entries WHERE sequence > ? AND kind = ?
         AND sequence < (SELECT MAX(sequence) FROM journal_entries) ORDER BY sequence LIMIT 256`,
      after,
      kind,
    );
    if (rows.length === 0) break;
    for (const row of rows) {
      if (found.length >= wanted.entries && bytes >= wanted.bytes) break;
      after = Number(row.sequence);
      found.push({ sequence: after, bytes: Number(row.bytes) });
      bytes += Number(row.bytes);
    }
  }
  return found;
}

function leaveGap(sql: Sql, dropped: readonly Dropped[], now: number): void {
  const numbers = dropped.map(({ sequence }) => sequence);
  let gap = { first: Math.min(...numbers), last: Math.max(...numbers), count: numbers.length };
  for (const row of sql.all("SELECT sequence, entry FROM journal_entries WHERE kind = 'gap'")) {
    const { fact } = fromBinary(EventSchema, row.entry as Uint8Array); // BLOB NOT NULL in a STRICT table.
    if (fact.case === "gap") gap = merged(gap, fact.value);
    sql.run("DELETE FROM journal_entries WHERE sequence = ?", Number(row.sequence));
  }
  const event = create(EventSchema, {
    at: timestampFromMs(now),
    reason: "the journal reached its limit before the hub had taken these entries",
    fact: {
      case: "gap",
      value: {
        firstSequence: BigInt(gap.first),
        lastSequence: BigInt(gap.last),
        count: BigInt(gap.count),
      },
    },
  });
  sql.run(
    "INSERT INTO journal_entries (sequence, kind, entry) VALUES (?, 'gap', ?)",
    gap.last,
    toBinary(EventSchema, event),
  );
}

function merged(gap: { first: number; last: number; count: number }, earlier: Gap): typeof gap {
  return {
    first: Math.min(gap.first, Number(earlier.firstSequence)),
    last: Math.max(gap.last, Number(earlier.lastSequence)),
    count: gap.count + Number(earlier.count),
  };
}
