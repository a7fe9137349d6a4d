import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Sql } from "../../src/base/sql.ts";
import { together } from "../../src/base/together.ts";
import { tempFolder } from "../fixtures/folder.ts";

const schema = { room: "test", migrations: ["CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT"] };

test("what is asked for in one turn is one commit, in order, and each hears of its own", async () => {
  using folder = tempFolder();
  using sql = Sql.open(join(folder.path, "a.db"), [schema], Date.now);
  const numbers = () => sql.all("SELECT number FROM numbers ORDER BY number").map(({ number }) => number);
  const said: string[] = [];
  const add = (number: number) =>
    together(
      sql,
      () => {
        said.push(`did ${number}`);
        sql.run("INSERT INTO numbers VALUES (?)", number);
        return number;
      },
      () => said.push(`undid ${number}`),
    );
  const all = [add(1), add(2), add(1), add(3)].map((one) =>
    one.then(
      (number) => said.push(`kept ${number}`),
      () => said.push("refused"),
    ),
  );
  assert.deepEqual([said, numbers()], [[], []]);
  await Promise.all(all);
  assert.deepEqual(numbers(), [1, 2, 3]);
  assert.deepEqual(said, [
    ...["did 1", "did 2", "did 1", "undid 1", "did 3"],
    ...["kept 1", "kept 2", "refused", "kept 3"].toSorted(
      (one, other) => said.indexOf(one) - said.indexOf(other),
    ),
  ]);
});

test("of a commit that the disk does not take nothing is left, in memory neither", async () => {
  using folder = tempFolder();
  const sql = Sql.open(join(folder.path, "a.db"), [schema], Date.now);
  const undone: number[] = [];
  const add = (number: number) =>
    together(
      sql,
      () => {
        sql.run("INSERT INTO numbers VALUES (?)", number);
        if (number === 2) sql.run("ROLLBACK"); // As SQLite does on a full disk.
      },
      () => undone.push(number),
    );
  const outcomes = await Promise.allSettled([add(1), add(2), add(3)]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "rejected", "rejected"],
  );
  assert.deepEqual([undone, sql.all("SELECT * FROM numbers")], [[2, 1], []]);
  await add(4);
  const late = add(5);
  sql[Symbol.dispose]();
  await assert.rejects(late);
});
