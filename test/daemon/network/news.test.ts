import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { WatchAttachmentsResponseSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import { VnicChangeKind } from "../../../gen/edge/v1/vnics_pb.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { News, schema } from "../../../src/daemon/network/news.ts";
import { tempFolder } from "../../fixtures/folder.ts";

test("an event is taken once, however often it is told, and with the time at which it happened", () => {
  using folder = tempFolder();
  using sql = Sql.open(join(folder.path, "daemon.db"), [journalSchema, schema], () => 0);
  const journal = Journal.open(sql, { now: () => 999 });
  const news = new News({ sql, journal, isOurs: (owner) => owner === "ours/plc1" });
  const told = (...sequences: number[]) => {
    const events = sequences.map((sequence) => ({
      ...{ sequence: BigInt(sequence), at: timestampFromMs(sequence), reason: `number ${sequence}` },
      owner: sequence === 3 ? "theirs/plc1" : "ours/plc1",
      change: { runtime: "plc1", vnic: "lan0", kind: VnicChangeKind.LEASE_RENEWED },
    }));
    return create(WatchAttachmentsResponseSchema, { events, lastSequence: BigInt(sequences.at(-1) ?? 2) });
  };
  const taken = () =>
    journal
      .read(0, 100)
      .map(({ entry }) => entry.case === "event" && timestampMs(entry.value.at ?? assert.fail()));
  assert.equal(news.cursor, undefined);
  assert.equal(news.take(told()), "taken");
  assert.equal(news.cursor, 2n, "what was before is not asked for");
  assert.equal(news.take(told(2, 3, 4)), "taken");
  assert.equal(news.take(told(3, 4, 5)), "taken");
  assert.deepEqual([taken(), news.cursor], [[4, 5], 5n]);
  assert.equal(news.take(told(1)), "begins anew");
  assert.deepEqual([taken(), news.cursor], [[4, 5], 1n]);
});
