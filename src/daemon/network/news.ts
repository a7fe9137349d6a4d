import { create } from "@bufbuild/protobuf";
import type { WatchAttachmentsResponse } from "../../../gen/edge/v1/netmon_pb.ts";
import { VnicChangeSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";

/** How far netmon's list of events was read. */
export const schema: Schema = {
  room: "network",
  migrations: [
    `CREATE TABLE network_news (one INTEGER PRIMARY KEY CHECK (one = 1), last_sequence INTEGER NOT NULL) STRICT;`,
  ],
};

type Told = Pick<WatchAttachmentsResponse, "events" | "lastSequence">;

/** Takes what happened to vNICs and devices into the journal: each event once, whatever restarts or breaks in between. */
export class News {
  readonly #sql: Sql;
  readonly #journal: Journal;
  readonly #isOurs: (owner: string) => boolean;

  constructor({ sql, journal, isOurs }: { sql: Sql; journal: Journal; isOurs: (owner: string) => boolean }) {
    this.#sql = sql;
    this.#journal = journal;
    this.#isOurs = isOurs;
  }

  /** The last event that was taken; undefined before netmon was ever asked. Survives restarts of either side. */
  get cursor(): bigint | undefined {
    const row = this.#sql.get("SELECT last_sequence FROM network_news");
    return row && BigInt(Number(row.last_sequence));
  }

  /**
   * Takes the events of our own vNICs and devices; on disk when this returns, the cursor with them. Says whether netmon begins anew: it has
   * lost what it kept, its numbers are smaller than the ones that we know, and it must be asked again from where it is.
   * @throws {Failure} the disk does not take it: nothing of it is taken.
   */
  take({ events, lastSequence }: Told): "taken" | "begins anew" {
    const { cursor } = this;
    const isNew = cursor !== undefined && lastSequence < cursor;
    const fresh = isNew ? [] : events.filter(({ sequence }) => sequence > (cursor ?? 0n));
    const next = fresh.at(-1)?.sequence ?? (isNew || cursor === undefined ? lastSequence : cursor);
    if (next === cursor) return "taken";
    this.#sql.transaction(() => {
      for (const { owner, change, device, reason, requestId, at } of fresh) {
        if (!this.#isOurs(owner)) continue;
        const fact = device
          ? ({ case: "device", value: device } as const)
          : ({ case: "vnic", value: change ?? create(VnicChangeSchema) } as const);
        this.#journal.record(fact, { reason, commandId: requestId, ...(at && { at }) });
      }
      this.#sql.run(
        "INSERT INTO network_news VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET last_sequence = excluded.last_sequence",
        Number(next),
      );
    });
    return isNew ? "begins anew" : "taken";
  }
}
