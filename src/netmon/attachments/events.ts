import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { DeviceChange } from "../../../gen/edge/v1/devices_pb.ts";
import { type AttachmentEvent, AttachmentEventSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import type { VnicChangeSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import { beginning } from "../../base/evidence.ts";
import type { Sql } from "../../base/sql.ts";
import { maxReasonBytes } from "../../wire/limits.ts";

/** AUTOINCREMENT: a number that was given is never given again, also when its event is gone. */
export const eventTable = `CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  event BLOB NOT NULL
) STRICT;`;

/** What happened, before it has its place. */
export type Happened = {
  owner: string;
  reason: string;
  /** Empty when nobody asked for it. */
  requestId: string;
} & ({ change: MessageInitShape<typeof VnicChangeSchema> } | { device: DeviceChange });

/** How many events are kept: netmon.proto promises as many. */
const limit = 10_000;
/** The oldest are dropped some at a time, so that not each event pays for it. */
const spare = 100;

/** What happened to attachments, in order, on disk, for watchers that were away. */
export class Events {
  readonly #sql: Sql;
  readonly #now: () => number;

  /** A new list begins with the time, so that the numbers of one that was lost do not come again either. */
  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    if (this.last === 0) sql.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", now());
  }

  /** The number of the newest event. */
  get last(): number {
    return Number(this.#sql.get("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?.seq ?? 0);
  }

  /** On disk when this returns, or with the surrounding transaction. */
  append({ reason, ...happened }: Happened): void {
    const event = create(AttachmentEventSchema, {
      ...{ ...happened, at: timestampFromMs(this.#now()) },
      reason: beginning(reason, maxReasonBytes),
    });
    const { lastId } = this.#sql.run(
      "INSERT INTO events (event) VALUES (?)",
      toBinary(AttachmentEventSchema, event),
    );
    if (lastId % spare === 0) this.#sql.run("DELETE FROM events WHERE sequence <= ?", lastId - limit);
  }

  /** Events after a number, in order, at most `max`. */
  after(sequence: number, max: number): AttachmentEvent[] {
    const rows = this.#sql.all(
      "SELECT sequence, event FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
      sequence,
      max,
    );
    return rows.map((row) => {
      const event = fromBinary(AttachmentEventSchema, row.event as Uint8Array); // BLOB NOT NULL in a STRICT table.
      event.sequence = BigInt(Number(row.sequence));
      return event;
    });
  }
}
