import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { RejectCode, RejectSchema } from "../../../gen/edge/v1/control_pb.ts";
import { DaemonStartedSchema } from "../../../gen/edge/v1/events_pb.ts";
import { Sql } from "../../../src/base/sql.ts";
import { heed, mustBeOurs } from "../../../src/daemon/control/copies.ts";
import { Journal, schema } from "../../../src/daemon/journal/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";

/** A journal with two entries, of which the hub has one. */
function openJournal(folder: string) {
  const sql = Sql.open(join(folder, "db"), [schema], Date.now);
  const journal = Journal.open(sql, { now: Date.now });
  const value = create(DaemonStartedSchema, {});
  for (let at = 0; at < 2; at++) journal.record({ case: "daemonStarted", value }, { reason: "it started" });
  journal.acknowledge(1);
  return { journal, [Symbol.dispose]: () => sql[Symbol.dispose]() };
}

test("a node that is told of a copy of its disk goes on under another journal, and loses no entry", () => {
  using folder = tempFolder();
  using opened = openJournal(folder.path);
  const { journal } = opened;
  const codes = [
    RejectCode.BUSY,
    RejectCode.SUPERSEDED,
    RejectCode.REPLACED,
    RejectCode.CLONED,
    RejectCode.STALE_EPOCH,
  ];
  const parted = codes.filter((code) => {
    const before = journal.id;
    heed(create(RejectSchema, { code }), journal);
    return journal.id !== before;
  });
  assert.deepEqual(parted, [RejectCode.CLONED, RejectCode.STALE_EPOCH]);
  assert.deepEqual(journal.range(), { first: 2, last: 2 });
});

test("a hub that has more than the journal had is told from one that has all", () => {
  using folder = tempFolder();
  using opened = openJournal(folder.path);
  const { journal } = opened;
  const before = journal.id;
  mustBeOurs(2, journal);
  assert.equal(journal.id, before);
  assert.throws(() => mustBeOurs(3, journal), {
    kind: "conflict",
    message: `the hub has entry 3 of journal ${before}, which ends at 2: the state file was put back from a copy; its entries go out as a new journal`,
  });
  assert.notEqual(journal.id, before);
});
