import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../../../gen/edge/v1/events_pb.ts";
import { type WatchEventsResponse, WatchEventsResponseSchema } from "../../../gen/edge/v1/fleet_pb.ts";
import { inPieces, valuesOf } from "../../base/many-rows.ts";
import type { Row } from "../../base/sql.ts";
import type { Store, Tx } from "../store/index.ts";

/** An event as it came. */
export interface NewEvent {
  nodeId: string;
  sequence: number;
  event: Event;
}

/** Keeps events, and gives them the next positions. */
export async function keepEvents(tx: Tx, events: readonly NewEvent[], now: number): Promise<void> {
  if (events.length === 0) return;
  // The row of the counter is held until the commit, so who sees a position sees all below it.
  const row = await tx.get(
    "UPDATE event_positions SET last = last + $1 WHERE one = 1 RETURNING last",
    events.length,
  );
  const first = Number(row?.last) - events.length + 1;
  const placed = events.map((one, at) => ({ ...one, position: first + at }));
  for (const some of inPieces(placed)) {
    await tx.run(
      `INSERT INTO events (position, node_id, sequence, event, kept_at, is_audit)
       VALUES ${valuesOf(["BIGINT", "TEXT", "BIGINT", "BLOB", "BIGINT", "BIGINT"], some.length)}`,
      ...some.flatMap(({ position, nodeId, sequence, event }) => [
        ...[position, nodeId, sequence, toBinary(EventSchema, event), now],
        event.fact.case === "auditCheckpoint" ? 1 : 0,
      ]),
    );
  }
}

/** The newest position that was given to an event. */
export async function lastPosition(store: Store): Promise<number> {
  const [row] = await store.read("SELECT last FROM event_positions WHERE one = 1");
  return Number(row?.last);
}

/** Rows that are looked through at once for those that somebody may see. */
const pageSize = 1000;

/** The position before the newest `count` events, of one node or of all that may be seen. */
export async function positionBefore(
  store: Store,
  { nodeId, maySee = () => true }: { nodeId: string; maySee?: ((nodeId: string) => boolean) | undefined },
  count: number,
): Promise<number> {
  let before = Number.MAX_SAFE_INTEGER;
  for (let seen = 0; ; ) {
    const rows = await store.read(
      `SELECT position, node_id FROM events WHERE ($1 = '' OR node_id = $1) AND position < $2
       ORDER BY position DESC LIMIT $3`,
      ...[nodeId, before, pageSize],
    );
    for (const row of rows) {
      before = Number(row.position);
      if (maySee(String(row.node_id)) && ++seen > count) return before;
    }
    if (rows.length < pageSize) return 0;
  }
}

/** Events after a position, in order, at most `max`. */
export async function eventsAfter(
  store: Store,
  nodeId: string,
  position: number,
  max: number,
): Promise<WatchEventsResponse[]> {
  const [only, ...one] = nodeId === "" ? [""] : ["AND node_id = $3", nodeId];
  const rows = await store.read(
    `SELECT * FROM events WHERE position > $1 ${only} ORDER BY position LIMIT $2`,
    position,
    max,
    ...one,
  );
  return rows.map(toResponse);
}

function toResponse(row: Row): WatchEventsResponse {
  return create(WatchEventsResponseSchema, {
    position: BigInt(Number(row.position)),
    nodeId: String(row.node_id),
    sequence: BigInt(Number(row.sequence)),
    event: fromBinary(EventSchema, row.event as Uint8Array), // BLOB NOT NULL.
  });
}
