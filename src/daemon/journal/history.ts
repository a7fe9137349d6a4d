import { create, fromBinary } from "@bufbuild/protobuf";
import {
  type Event,
  EventSchema,
  type JournalEvent,
  JournalEventSchema,
  type ListEventsRequest,
} from "../../../gen/edge/v1/events_pb.ts";
import type { Row, Sql } from "../../base/sql.ts";
import { agentOfEvent, runtimeOfEvent } from "../../wire/events.ts";

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
  {
    afterSequence,
    limit,
    ...about
  }: Pick<ListEventsRequest, "afterSequence" | "limit" | "runtime" | "agent">,
): JournalEvent[] {
  const subject = subjectOf(about);
  if (subject === undefined) return [];
  const isNewest = afterSequence === 0n;
  const rows = sql.all(
    `SELECT sequence, entry FROM journal_entries
       WHERE kind <> 'result' AND sequence > ? ${subject === "" ? "" : "AND runtime = ? AND runtime <> ''"}
       ORDER BY sequence ${isNewest ? "DESC" : "ASC"} LIMIT ?`,
    Number(afterSequence),
    ...(subject === "" ? [] : [subject]),
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

/** What events are kept under: their runtime's name, or their agent's, which no runtime can have; empty for those of the node. */
export function subjectOfEvent(event: Event): string {
  const agent = agentOfEvent(event);
  return runtimeOfEvent(event) ?? (agent === undefined ? "" : agentSubject(agent));
}

/** The subject that is asked for; empty for all, undefined when it is two, which no event is about. */
function subjectOf({ runtime, agent }: Pick<ListEventsRequest, "runtime" | "agent">): string | undefined {
  if (agent === "") return runtime;
  return runtime === "" ? agentSubject(agent) : undefined;
}

function agentSubject(agent: string): string {
  return `agent/${agent}`;
}

function howManyFit(rows: readonly Row[]): number {
  let bytes = 0;
  const tooMany = rows.findIndex(({ entry }) => {
    bytes += (entry as Uint8Array).length; // As above.
    return bytes > answerBytes;
  });
  return tooMany === -1 ? rows.length : tooMany;
}
