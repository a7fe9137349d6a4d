import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { Sql } from "../../../src/base/sql.ts";
import { CommandStore, schema } from "../../../src/daemon/work/store.ts";
import { localCaller } from "../../fakes/unguarded.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const dayMs = 24 * 3_600_000;

/** Commands c1 to c10, each with a result of a kilobyte, but for c2, which is not finished. */
function tenCommands(path: string) {
  const sql = Sql.open(path, [schema], Date.now);
  const store = new CommandStore(sql);
  for (let at = 1; at <= 10; at++) {
    store.add(create(CommandSchema, { id: `c${at}` }), true, localCaller);
    const value = { message: "x".repeat(1_000) };
    const result = create(ResultSchema, { commandId: `c${at}`, outcome: { case: "failure", value } });
    if (at !== 2) store.finish(`c${at}`, result, at, at * dayMs);
  }
  const kept = () => sql.all("SELECT id FROM commands ORDER BY arrival").map(({ id }) => id);
  return { store, kept, [Symbol.dispose]: () => sql[Symbol.dispose]() };
}

test("results are forgotten when they are too many, too old or too large, and what is not finished stays", () => {
  using folder = tempFolder();
  const generous = { most: 100, least: 0, bytes: 1 << 20 };
  const cases = {
    "too many": { now: 0, limits: { ...generous, most: 3 }, left: ["c2", "c8", "c9", "c10"] },
    "too old": { now: 16 * dayMs, limits: generous, left: ["c2", "c9", "c10"] },
    "old and few": {
      now: 99 * dayMs,
      limits: { ...generous, least: 4 },
      left: ["c2", "c7", "c8", "c9", "c10"],
    },
    "too large": { now: 0, limits: { ...generous, bytes: 2_500 }, left: ["c2", "c9", "c10"] },
  };
  for (const [what, { now, limits, left }] of Object.entries(cases)) {
    using it = tenCommands(join(folder.path, what));
    it.store.prune(now, limits);
    assert.deepEqual(it.kept(), left, what);
  }
});
