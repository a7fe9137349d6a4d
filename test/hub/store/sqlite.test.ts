import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SqliteStore } from "../../../src/hub/store/index.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import { factsSchema, insert, storeSuite } from "./store.suite.ts";

const open = (path: string) => SqliteStore.open(join(path, "hub.db"), [factsSchema], Date.now);

storeSuite("SQLite", async () => {
  const folder = tempFolder();
  return { open: async () => open(folder.path), [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
});

describe("the hub's store on SQLite alone", () => {
  it("puts the writes of one turn into one commit, and resolves only after that", async () => {
    using folder = tempFolder();
    await using store = open(folder.path);
    let settled = 0;
    const writes = Array.from({ length: 50 }, (_, at) =>
      store.write((tx) => tx.run(insert, `f${at}`, at)).then(() => settled++),
    );
    await Promise.resolve();
    assert.equal(settled + store.commits, 0);
    await Promise.all(writes);
    assert.equal(store.commits, 1);
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
