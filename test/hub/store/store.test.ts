import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Failure } from "../../../src/base/failure.ts";
import { SqliteStore } from "../../../src/hub/store/index.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";

const schema = { room: "test", migrations: ["CREATE TABLE facts (id TEXT PRIMARY KEY, at BIGINT NOT NULL)"] };
const insert = "INSERT INTO facts (id, at) VALUES ($1, $2)";

const open = (path: string) => SqliteStore.open(join(path, "hub.db"), [schema], Date.now);

describe("the hub's store", () => {
  it("has what was written when it is opened again", async () => {
    using folder = tempFolder();
    {
      await using store = open(folder.path);
      await store.write((tx) => tx.run(insert, "a", 5));
    }
    await using store = open(folder.path);
    assert.deepEqual({ ...(await store.read("SELECT * FROM facts"))[0] }, { id: "a", at: 5 });
  });

  it("puts the writes of one turn into one commit, and tells each caller its own outcome", async () => {
    using folder = tempFolder();
    await using store = open(folder.path);
    const writes = Array.from({ length: 50 }, (_, at) =>
      store.write(async (tx) => {
        await tx.run(insert, `f${at % 40}`, at);
        return at;
      }),
    );
    const outcomes = await Promise.allSettled(writes);
    assert.equal(store.commits, 1);
    assert.equal(outcomes.filter((one) => one.status === "rejected").length, 10, "the doubles fail alone");
    assert.deepEqual(outcomes[7], { status: "fulfilled", value: 7 });
    const rows = await store.read("SELECT count(*) AS n FROM facts");
    assert.equal(rows[0]?.n, 40);
  });

  it("resolves only after the commit: until then nobody else sees the rows as settled", async () => {
    using folder = tempFolder();
    await using store = open(folder.path);
    let settled = false;
    const write = store.write((tx) => tx.run(insert, "a", 1)).then(() => (settled = true));
    await Promise.resolve();
    assert.equal(settled, false);
    assert.equal(store.commits, 0);
    await write;
    assert.equal(store.commits, 1);
  });

  it("undoes all statements of a piece of work that throws, and keeps its failure as it was", async () => {
    using folder = tempFolder();
    await using store = open(folder.path);
    const mine = new Failure("conflict", "no");
    const failing = store.write(async (tx) => {
      await tx.run(insert, "half", 1);
      throw mine;
    });
    await assert.rejects(failing, (thrown) => thrown === mine);
    assert.deepEqual(await store.read("SELECT * FROM facts"), []);
    assert.equal(store.problem, undefined);
  });

  it("takes a placeholder used twice, and refuses a missing value", async () => {
    using folder = tempFolder();
    await using store = open(folder.path);
    await store.write((tx) => tx.run("INSERT INTO facts (id, at) VALUES ($1, length($1) + $2)", "x1", 1));
    assert.deepEqual({ ...(await store.read("SELECT * FROM facts"))[0] }, { id: "x1", at: 3 });
    await assert.rejects(store.read("SELECT * FROM facts WHERE at = $2", 1), /no value for \$2/);
  });

  it("tells a full and a read-only disk as typed failures, goes on reading, and writes again when it can", async () => {
    using disk = smallDisk(1 << 20);
    const ballast = join(disk.path, "ballast");
    writeFileSync(ballast, Buffer.alloc(1 << 18));
    await using store = open(disk.path);
    await store.write((tx) => tx.run(insert, "before", 1));
    const flood = async () => {
      for (let at = 0; at < 1000; at++)
        await store.write((tx) => tx.run(insert, `${at}`.padEnd(2000, "x"), at));
    };
    await assert.rejects(flood(), { kind: "exhausted", message: /no space left for .*hub\.db: free some/ });
    assert.equal(store.problem?.kind, "exhausted");
    assert.equal((await store.read("SELECT count(*) AS n FROM facts WHERE id = 'before'"))[0]?.n, 1);

    rmSync(ballast);
    await store.write((tx) => tx.run(insert, "after", 2));
    assert.equal(store.problem, undefined);
  });

  it("refuses a folder that cannot be written with a sentence", () => {
    using disk = smallDisk(1 << 20);
    disk.setReadOnly(true);
    assert.throws(() => open(disk.path), {
      kind: "unavailable",
      message: /hub\.db cannot be written: check/,
    });
  });
});
