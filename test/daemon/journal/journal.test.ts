import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import {
  type Event,
  RuntimeChangeKind,
  RuntimeChangeSchema,
  TaskChangeSchema,
} from "../../../gen/edge/v1/events_pb.ts";
import { Sql } from "../../../src/base/sql.ts";
import { type Entry, Journal, type JournalLimit, schema } from "../../../src/daemon/journal/index.ts";

function openFile(t: TestContext, path?: string): { sql: Sql; path: string } {
  const folder = path ? undefined : mkdtempSync(join(tmpdir(), "journal-"));
  const at = path ?? join(folder ?? "", "state.db");
  const sql = Sql.open(at, [schema], Date.now);
  t.after(() => {
    sql[Symbol.dispose]();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  return { sql, path: at };
}

function openJournal(t: TestContext, limit?: JournalLimit): { journal: Journal; sql: Sql } {
  const { sql } = openFile(t);
  return { sql, journal: Journal.open(sql, { now: () => 1_000, ...(limit ? { limit } : {}) }) };
}

const reachable: Event["fact"] = {
  case: "engine",
  value: { $typeName: "edge.v1.EngineChange", reachable: true, detail: "" },
};

function started(name: string): Event["fact"] {
  return {
    case: "runtime",
    value: create(RuntimeChangeSchema, { name, kind: RuntimeChangeKind.STARTED }),
  };
}

/** The sequence numbers that a reader at the node gets. */
function events(journal: Journal, { after = 0, limit = 0, runtime = "", agent = "" }): number[] {
  return journal
    .history({ afterSequence: BigInt(after), limit, runtime, agent })
    .map(({ sequence }) => Number(sequence));
}

function result(commandId: string): Entry {
  return { case: "result", value: create(ResultSchema, { commandId }) };
}

/** A journal as people read it: the reasons of events, the command ids of results, the ranges of gaps. */
function told(journal: Journal, after = 0): string[] {
  return journal.read(after, 10_000).map(({ sequence, entry }) => {
    if (entry.case === "result") return `${sequence} result ${entry.value.commandId}`;
    const { fact, reason } = entry.value;
    if (fact.case !== "gap") return `${sequence} ${reason}`;
    const { firstSequence, lastSequence, count } = fact.value;
    return `${sequence} gap ${firstSequence}-${lastSequence} (${count})`;
  });
}

test("entries come back in order, after the place that the reader names", (t) => {
  const { journal } = openJournal(t);
  assert.deepEqual(journal.range(), { first: 0, last: 0 });
  journal.record(reachable, { reason: "one" });
  journal.append(result("cmd-a"));
  assert.equal(journal.record(reachable, { reason: "three", commandId: "cmd-a" }), 3);
  assert.deepEqual(told(journal), ["1 one", "2 result cmd-a", "3 three"]);
  assert.deepEqual(told(journal, 2), ["3 three"]);
  assert.deepEqual(journal.range(), { first: 1, last: 3 });
  assert.equal(journal.read(0, 2).length, 2);
});

test("what was acknowledged is not read again, and no number is given twice, over a restart too", (t) => {
  const { sql, path } = openFile(t);
  const journal = Journal.open(sql, { now: () => 0 });
  for (const reason of ["one", "two", "three"]) journal.record(reachable, { reason });
  journal.acknowledge(3);
  journal.acknowledge(1);
  assert.deepEqual(told(journal), []);
  assert.deepEqual(journal.range(), { first: 0, last: 0 });
  sql[Symbol.dispose]();

  const again = Journal.open(openFile(t, path).sql, { now: () => 0 });
  assert.equal(again.id, journal.id);
  assert.equal(again.record(reachable, { reason: "four" }), 4);
  again.acknowledge(4);
  assert.equal(again.record(reachable, { reason: "five" }), 5);
  assert.deepEqual(told(again), ["5 five"]);
});

test("of what was acknowledged only the newest events stay, for readers at the node", (t) => {
  const { sql, path } = openFile(t);
  const journal = Journal.open(sql, { now: () => 0, history: 4 });
  for (let n = 1; n <= 9; n++) {
    if (n % 2 === 0) journal.append(result(`cmd-${n}`));
    else journal.record(n === 7 ? started("press") : reachable, { reason: String(n) });
  }
  assert.deepEqual(events(journal, {}), [1, 3, 5, 7, 9]);
  journal.acknowledge(8);
  journal.record(started("mill"), { reason: "10" });
  assert.deepEqual(told(journal), ["9 9", "10 10"]);
  assert.deepEqual(events(journal, {}), [7, 9, 10]);
  assert.deepEqual(events(journal, { limit: 2 }), [9, 10], "the newest");
  assert.deepEqual(events(journal, { after: 1, limit: 2 }), [7, 9], "the next");
  assert.deepEqual(events(journal, { runtime: "press" }), [7]);
  const task = create(TaskChangeSchema, { id: "cmd-1", agent: "press" });
  journal.record({ case: "task", value: task }, { reason: "11" });
  assert.deepEqual(events(journal, { agent: "press" }), [11], "an agent may have a runtime's name");
  assert.deepEqual(events(journal, { runtime: "press" }), [7]);
  assert.deepEqual(events(journal, { runtime: "press", agent: "press" }), [], "no event is about both");
  assert.equal(sql.get("SELECT COUNT(*) AS n FROM journal_entries WHERE kind = 'result'")?.n, 0);
  sql[Symbol.dispose]();

  const again = Journal.open(openFile(t, path).sql, { now: () => 0 });
  assert.deepEqual(told(again), ["9 9", "10 10", "11 11"], "what the hub has is not sent again");
  assert.deepEqual(events(again, {}), [7, 9, 10, 11]);
});

test("what the hub has goes before anything that it does not have", (t) => {
  const { journal } = openJournal(t, { entries: 6, bytes: 1 << 20 });
  for (let n = 1; n <= 6; n++) journal.record(reachable, { reason: String(n) });
  journal.acknowledge(4);
  journal.record(reachable, { reason: "7" });
  assert.deepEqual(told(journal), ["5 5", "6 6", "7 7"], "no gap is told");
  assert.deepEqual(events(journal, {}), [5, 6, 7]);
});

test("an answer with many events fits into a frame", (t) => {
  const { journal } = openJournal(t);
  for (let n = 1; n <= 400; n++) journal.record(reachable, { reason: "x".repeat(4_000) });
  const newest = events(journal, { limit: 1_000 });
  assert.ok(newest.length > 100 && newest.length < 250, `${newest.length} events`);
  assert.equal(newest.at(-1), 400);
});

test("an acknowledgement of what was never written is refused and changes nothing", (t) => {
  const { journal } = openJournal(t);
  journal.record(reachable, { reason: "one" });
  assert.throws(() => journal.acknowledge(2), {
    kind: "conflict",
    message: /entry 2 .* last one written is 1/,
  });
  assert.deepEqual(told(journal), ["1 one"]);
});

test("an entry belongs to the transaction around it", (t) => {
  const { sql, journal } = openJournal(t);
  const undo = new Error("undo");
  assert.throws(
    () =>
      sql.transaction(() => {
        journal.append(result("cmd-a"));
        throw undo;
      }),
    undo,
  );
  assert.deepEqual(told(journal), []);
  sql.transaction(() => journal.append(result("cmd-b")));
  assert.deepEqual(told(journal), ["1 result cmd-b"]);
});

test("listeners are told once for many entries, and after the transaction", async (t) => {
  const { sql, journal } = openJournal(t);
  const seen: string[][] = [];
  journal.changes.listen(() => seen.push(told(journal)));
  sql.transaction(() => {
    journal.append(result("cmd-a"));
    journal.append(result("cmd-b"));
  });
  assert.deepEqual(seen, []);
  await Promise.resolve();
  assert.deepEqual(seen, [["1 result cmd-a", "2 result cmd-b"]]);
});

test("a full journal drops its oldest events, keeps its results, and says what is missing", (t) => {
  const { journal } = openJournal(t, { entries: 6, bytes: 1 << 20 });
  journal.append(result("cmd-a"));
  for (const reason of ["two", "three"]) journal.record(reachable, { reason });
  journal.append(result("cmd-b"));
  for (const reason of ["five", "six", "seven"]) journal.record(reachable, { reason });
  assert.deepEqual(told(journal), [
    "1 result cmd-a",
    "3 gap 2-3 (2)",
    "4 result cmd-b",
    "5 five",
    "6 six",
    "7 seven",
  ]);
  journal.record(reachable, { reason: "eight" });
  assert.deepEqual(told(journal), [
    "1 result cmd-a",
    "4 result cmd-b",
    "6 gap 2-6 (4)",
    "7 seven",
    "8 eight",
  ]);
});

test("results go only when no event is left to drop", (t) => {
  const { journal } = openJournal(t, { entries: 3, bytes: 1 << 20 });
  for (const id of ["cmd-a", "cmd-b", "cmd-c"]) journal.append(result(id));
  journal.record(reachable, { reason: "four" });
  assert.deepEqual(told(journal), ["2 gap 1-2 (2)", "3 result cmd-c", "4 four"]);
});

test("the limit in bytes holds too", (t) => {
  const limit = { entries: 1_000, bytes: 20_000 };
  const { sql, journal } = openJournal(t, limit);
  for (let n = 0; n < 100; n++) journal.record(reachable, { reason: "x".repeat(1_000) });
  const row = sql.get("SELECT SUM(length(entry)) AS bytes FROM journal_entries");
  assert.ok(Number(row?.bytes) <= limit.bytes, `${row?.bytes} bytes are held`);
  const last = journal.read(0, 1_000).at(-1);
  assert.equal(last?.sequence, 100);
});

test("a reason is cut to what every hub takes", (t) => {
  const { journal } = openJournal(t);
  journal.record(reachable, { reason: "ä".repeat(5_000) });
  assert.deepEqual(told(journal), [`1 ${"ä".repeat(2_048)}`]);
});

test("a batch holds about a megabyte, and a single large entry still comes", (t) => {
  const { journal } = openJournal(t);
  for (let n = 0; n < 4; n++) journal.append(result("x".repeat(700_000)));
  assert.equal(journal.read(0, 64).length, 1);
  assert.equal(journal.read(3, 64).length, 1);
});

test("a renewed journal has another id and the same entries", (t) => {
  const { journal } = openJournal(t);
  journal.append(result("cmd-a"));
  const before = journal.id;
  journal.renew();
  assert.notEqual(journal.id, before);
  assert.deepEqual(told(journal), ["1 result cmd-a"]);
});
