import { create, fromBinary } from "@bufbuild/protobuf";
import {
  EventSchema,
  type JournalEvent,
  JournalEventSchema,
  type ListEventsRequest,
} from "../../../gen/edge/v1/events_pb.ts";
import type { Row, Sql } from "../../base/sql.ts";

/** Events in one answer when nobody says how many. */
const usualLimit = 100;
/** Events in one answer, in bytes: it must fit into a frame. */
const answerBytes = 768 << 10;

/**
 * Events at their places, oldest first: the first ones after a place, or the newest when no place is given; fewer than asked
 * for when they are large. What the hub has is among them for as long as the history goes back.
 */
export function readHistory(
  sql: Sql,
  { afterSequence, limit, runtime }: Pick<ListEventsRequest, "afterSequence" | "limit" | "runtime">,
): JournalEvent[] {
  const isNewest = afterSequence === 0n;
  const rows = sql.all(
    `SELECT sequence, entry FROM journal_entries
       WHERE kind <> 'result' AND sequence > ? ${runtime === "" ? "" : "AND runtime = ? AND runtime <> ''"}
       ORDER BY sequence ${isNewest ? "DESC" : "ASC"} LIMIT ?`,
    Number(afterSequence),
    ...(runtime === "" ? [] : [runtime]),
    limit || usualLimit,
  );
  const fitting = rows.slice(0, howManyFit(rows)).map(({ sequence, entry }) =>
    create(JournalEventSchema, {
      sequence: BigInt(Number(sequence)),
      event: fromBinary(EventSchema, entry as Uint8Array), // BLOB NOT NULL in a STRICT table.
    }),
  );
  return isNewest ? fitting.reverse() : fitting;
}

function howManyFit(rows: readonly Row[]): number {
  let bytes = 0;
  const tooMany = rows.findIndex(({ entry }) => {
    bytes += (entry as Uint8Array).length; // As above.
    return bytes > answerBytes;
  });
  return tooMany === -1 ? rows.length : tooMany;
}
