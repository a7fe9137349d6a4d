import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../../src/base/failure.ts";
import type { Schema } from "../../../src/base/sql.ts";
import type { Store } from "../../../src/hub/store/index.ts";

/** A place for one store, which can be opened again after it was closed. */
export interface Ground extends AsyncDisposable {
  open(schemas?: readonly Schema[]): Promise<Store>;
}

/** What every engine promises. */
export function storeSuite(engine: string, ground: () => Promise<Ground>): void {
  const opened = async () => {
    const resources = new AsyncDisposableStack();
    const store = resources.use(await resources.use(await ground()).open());
    return { store, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  };

  describe(`the hub's store on ${engine}`, () => {
    it("has what was written when it is opened again, also what nobody waited for", async () => {
      await using place = await ground();
      {
        await using store = await place.open();
        await store.write((tx) => tx.run(insert, "a", 5));
        void store.write((tx) => tx.run(insert, "b", 6));
      }
      await using store = await place.open();
      assert.deepEqual(plain(await store.read("SELECT id, at FROM facts ORDER BY id")), [
        { id: "a", at: 5 },
        { id: "b", at: 6 },
      ]);
    });

    it("tells each caller its own outcome, and undoes all of a piece that fails", async () => {
      await using place = await opened();
      const { store } = place;
      const mine = new Failure("conflict", "no");
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, (_, at) =>
          store.write(async (tx) => {
            await tx.run(insert, `before ${at}`, at);
            await tx.run(insert, `fact ${at % 40}`, at);
            if (at === 7) throw mine;
            return at;
          }, []),
        ),
      );
      const [, , , , , , , seventh, eighth] = outcomes;
      assert.ok(seventh?.status === "rejected" && seventh.reason === mine);
      assert.deepEqual(eighth, { status: "fulfilled", value: 8 });
      const kept = outcomes.filter(({ status }) => status === "fulfilled").length;
      const [row] = await store.read("SELECT COUNT(*) AS n FROM facts");
      assert.equal(row?.n, kept * 2, "the doubles fail alone, with what came before them");
      assert.ok(kept === 39 || kept === 40, "the double of the failed one may have come first or last");
      assert.equal(store.problem, undefined);
    });

    it("shows nobody what is not kept", async () => {
      await using place = await opened();
      const { store } = place;
      let seen: Promise<unknown[]> | undefined;
      const failing = store.write(async (tx) => {
        await tx.run(insert, "half", 1);
        seen = store.read("SELECT * FROM facts");
        assert.equal((await tx.all("SELECT * FROM facts")).length, 1, "but itself");
        throw new Error("no");
      });
      await assert.rejects(failing, /no/);
      assert.deepEqual(await seen, []);
    });

    it("does one after another, in order, what is about the same, and what says nothing", async () => {
      await using place = await opened();
      const { store } = place;
      await store.write((tx) => tx.run(insert, "count", 0));
      const add = (about?: string[]) => () => store.write(increment, about);
      const some = Array.from({ length: 40 }, add(["count", "x"]));
      const others = Array.from({ length: 10 }, add());
      assert.deepEqual(
        (await Promise.all(some)).map((at, index) => at > index),
        some.map(() => true),
      );
      const all = await Promise.all([...some, ...others]);
      assert.deepEqual(
        all.toSorted((a, b) => a - b),
        Array.from({ length: 50 }, (_, at) => at + 1),
      );
      assert.deepEqual(
        all.slice(0, 40),
        all.slice(0, 40).toSorted((a, b) => a - b),
      );
    });

    it("gives values as they were given", async () => {
      await using place = await opened();
      const { store } = place;
      const row = {
        id: "żółw \u{1F422} 'quoted' $1",
        at: 1_800_000_000_123,
        bytes: new Uint8Array([0, 255, 39, 92]),
      };
      await store.write((tx) =>
        tx.run("INSERT INTO facts (id, at, bytes) VALUES ($1, $2, $3)", ...Object.values(row)),
      );
      await store.write((tx) =>
        tx.run("INSERT INTO facts (id, at, bytes) VALUES ($1, length($1) + $2, $3)", "ab", 1, null),
      );
      const [first] = await store.read("SELECT * FROM facts WHERE at > $1", 1_800_000_000_000);
      assert.deepEqual({ ...first, bytes: new Uint8Array(first?.bytes as Uint8Array) }, row);
      assert.deepEqual(
        plain(
          await store.read(
            "SELECT at, bytes, at < $1 AS early, SUM(length(id)) AS sum FROM facts GROUP BY 1, 2 ORDER BY 1 LIMIT 1",
            9,
          ),
        ),
        [{ at: 3, bytes: null, early: 1, sum: 2 }],
      );
      await assert.rejects(store.read("SELECT * FROM facts WHERE at = $2", 1), /no value for \$2/);
    });

    it("says how many rows changed, and gives what RETURNING asks for", async () => {
      await using place = await opened();
      const { store } = place;
      await store.write(async (tx) => {
        assert.equal(await tx.run(insert, "a", 1), 1);
        assert.equal(await tx.run(`${insert} ON CONFLICT (id) DO NOTHING`, "a", 2), 0);
        assert.equal(await tx.run(`${insert} ON CONFLICT (id) DO UPDATE SET at = excluded.at`, "a", 3), 1);
        assert.deepEqual(
          { ...(await tx.get("UPDATE facts SET at = at + $1 RETURNING id, at", 4)) },
          { id: "a", at: 7 },
        );
        assert.equal(await tx.get("SELECT * FROM facts WHERE id = $1", "z"), undefined);
        assert.equal(await tx.run("DELETE FROM facts WHERE at > $1", 100), 0);
      });
    });

    it("keeps nothing of a piece in which a statement failed, whatever its work makes of that", async () => {
      await using place = await opened();
      const { store } = place;
      const stubborn = store.write(async (tx) => {
        await tx.run(insert, "a", 1);
        await tx.run(insert, "a", 2).catch(() => {});
        return "all is well";
      });
      await assert.rejects(stubborn, /unique/i);
      assert.deepEqual(await store.read("SELECT * FROM facts"), []);
    });

    it("refuses a statement after the end of its piece, which would be in another's", async () => {
      await using place = await opened();
      const tx = await place.store.write((tx) => Promise.resolve({ late: () => tx.run(insert, "late", 1) }));
      await assert.rejects(tx.late(), /after the end of its piece/);
      assert.deepEqual(await place.store.read("SELECT * FROM facts"), []);
    });

    it("takes no more when it is closed", async () => {
      await using place = await ground();
      const store = await place.open();
      await store[Symbol.asyncDispose]();
      await assert.rejects(
        store.write((tx) => tx.run(insert, "a", 1)),
        { kind: "unavailable", message: "the hub is stopping" },
      );
    });
  });
}

export const factsSchema: Schema = {
  room: "test",
  migrations: [
    "CREATE TABLE facts (id TEXT PRIMARY KEY, at BIGINT NOT NULL, bytes BLOB); CREATE INDEX by_time ON facts (at);",
  ],
};

export const insert = "INSERT INTO facts (id, at) VALUES ($1, $2)";

/** Reads, then writes what it decided: wrong where two do it at once. */
export async function increment(tx: Parameters<Parameters<Store["write"]>[0]>[0]): Promise<number> {
  const row = await tx.get("SELECT at FROM facts WHERE id = 'count'");
  const next = Number(row?.at) + 1;
  await tx.run("UPDATE facts SET at = $1 WHERE id = 'count'", next);
  return next;
}

function plain(rows: readonly object[]): object[] {
  return rows.map((row) => ({ ...row }));
}
