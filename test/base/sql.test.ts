import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { type Schema, Sql } from "../../src/base/sql.ts";
import { smallDisk, tempFolder } from "../fixtures/folder.ts";

const notes: Schema = { room: "notes", migrations: ["CREATE TABLE notes (text TEXT NOT NULL) STRICT"] };
const now = () => Date.UTC(2026, 10, 20);

function failsWith(kind: string, pattern: RegExp) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof Failure, `expected a failure, got ${String(thrown)}`);
    assert.equal(thrown.kind, kind);
    assert.match(thrown.message, pattern);
    return true;
  };
}

test("what was written is there after opening again", () => {
  using folder = tempFolder();
  const path = join(folder.path, "deep", "state.db");
  {
    using sql = Sql.open(path, [notes], now);
    sql.run("INSERT INTO notes VALUES (?)", "kept");
  }
  using sql = Sql.open(path, [notes], now);
  assert.deepEqual(
    sql.all("SELECT text FROM notes").map((row) => row.text),
    ["kept"],
  );
  assert.equal(sql.setAside, undefined);
});

test("a transaction that throws leaves nothing", () => {
  using folder = tempFolder();
  using sql = Sql.open(join(folder.path, "state.db"), [notes], now);
  assert.throws(
    () =>
      sql.transaction(() => {
        sql.run("INSERT INTO notes VALUES ('half')");
        throw new Error("stop");
      }),
    /stop/,
  );
  assert.deepEqual(sql.all("SELECT * FROM notes"), []);
});

test("a file of random bytes is set aside whole, and a new one begun", () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const noise = randomBytes(64 * 1024);
  writeFileSync(path, noise);
  using sql = Sql.open(path, [notes], now);
  sql.run("INSERT INTO notes VALUES ('new')");
  assert.ok(sql.setAside);
  assert.equal(sql.setAside.movedTo, `${path}.unreadable-2026-11-20T000000.000Z`);
  assert.match(sql.setAside.problem, /not a database/);
  assert.deepEqual(readFileSync(sql.setAside.movedTo), noise);
});

test("a damaged page is found at opening, not at some later read", () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  {
    using sql = Sql.open(path, [notes], now);
    for (let i = 0; i < 2000; i++) sql.run("INSERT INTO notes VALUES (?)", `note ${i} ${"x".repeat(50)}`);
  }
  const bytes = readFileSync(path);
  randomBytes(4096).copy(bytes, 3 * 4096);
  writeFileSync(path, bytes);
  using sql = Sql.open(path, [notes], now);
  assert.ok(sql.setAside);
  assert.deepEqual(sql.all("SELECT * FROM notes"), []);
});

test("a second program on the same file is refused, and says so", () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  {
    using first = Sql.open(path, [notes], now);
    assert.throws(
      () => Sql.open(path, [notes], now),
      failsWith("conflict", /in use by another running program/),
    );
    first.run("INSERT INTO notes VALUES ('still works')");
  }
  using _second = Sql.open(path, [notes], now);
});

test("a file to which a newer version only added something is worked with, by either in turn", () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const newer: Schema = { room: "notes", migrations: [...notes.migrations, "CREATE TABLE more (x) "] };
  for (const [n, schema] of [newer, notes, newer].entries()) {
    using sql = Sql.open(path, [schema], now);
    sql.run("INSERT INTO notes VALUES (?)", String(n));
    assert.equal(sql.all("SELECT * FROM notes").length, n + 1);
  }
});

test("a file from which a newer version took something away is refused and left alone", () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const newer: Schema = {
    room: "notes",
    migrations: [...notes.migrations, "DROP TABLE notes"],
    usableFrom: 2,
  };
  {
    using _sql = Sql.open(path, [newer], now);
  }
  assert.throws(
    () => Sql.open(path, [notes], now),
    failsWith("unsupported", /newer version \(room notes, schema 2/),
  );
});

test("a read-only file system is a failure that says what to check", () => {
  using disk = smallDisk(1 << 20);
  disk.setReadOnly(true);
  assert.throws(
    () => Sql.open(join(disk.path, "hub", "state.db"), [notes], now),
    failsWith("unavailable", /check/),
  );
  assert.throws(
    () => Sql.open(join(disk.path, "state.db"), [notes], now),
    failsWith("unavailable", /read-only/),
  );
});

test("a full disk is a failure, loses nothing that was written, and heals when there is room", () => {
  using disk = smallDisk(1 << 20);
  using sql = Sql.open(join(disk.path, "state.db"), [notes], now);
  sql.run("INSERT INTO notes VALUES ('first')");
  const filler = join(disk.path, "filler");
  try {
    writeFileSync(filler, randomBytes(2 << 20));
  } catch {
    // The point: it is full now.
  }
  assert.throws(
    () => {
      for (let i = 0; i < 1000; i++) sql.run("INSERT INTO notes VALUES (?)", "x".repeat(10_000));
    },
    failsWith("exhausted", /no space left/),
  );
  assert.equal(sql.get("SELECT text FROM notes LIMIT 1")?.text, "first");
  writeFileSync(filler, "");
  sql.run("INSERT INTO notes VALUES ('after')");
});
