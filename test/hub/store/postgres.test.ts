import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import type { Schema } from "../../../src/base/sql.ts";
import { PostgresStore } from "../../../src/hub/store/postgres.ts";
import { connect, startPostgres } from "../../fixtures/postgres.ts";
import { until } from "../../journeys/until.ts";
import { factsSchema, increment, insert, storeSuite } from "./store.suite.ts";

const postgres = await startPostgres();
after(() => postgres[Symbol.asyncDispose]());

const open = (url: string, more: { schemas?: Schema[]; statementMs?: number; clock?: Clock } = {}) =>
  PostgresStore.open({
    ...{ url, schemas: [factsSchema], clock: systemClock, connections: 5, random: Math.random },
    ...more,
  });

storeSuite("PostgreSQL", async () => {
  const url = await postgres.newDatabase();
  return { open: () => open(url), [Symbol.asyncDispose]: async () => {} };
});

describe("the hub's store on PostgreSQL alone", () => {
  it("keeps what is about the same apart, also between hubs, and needs few connections for it", async () => {
    const url = await postgres.newDatabase();
    await using one = await open(url);
    await using other = await open(url);
    await one.write((tx) => tx.run(insert, "count", 0));
    const counts = Array.from({ length: 60 }, (_, at) =>
      (at % 2 === 0 ? one : other).write(increment, at % 5 === 0 ? undefined : ["count"]),
    );
    await using observer = await connect(url);
    const { rows } = await observer.query<{ n: string }>(
      "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE application_name = 'orchestrator-hub'",
    );
    assert.ok(Number(rows[0]?.n) <= 10);
    assert.equal(Math.max(...(await Promise.all(counts))), 60);
  });

  it("runs a piece again that PostgreSQL calls off because of another", async () => {
    await using store = await open(await postgres.newDatabase());
    await store.write((tx) => tx.run(insert, "a", 0).then(() => tx.run(insert, "b", 0)));
    let runs = 0;
    const both = Promise.withResolvers<void>();
    const crossing = (first: string, second: string) =>
      store.write(async (tx) => {
        await tx.run("UPDATE facts SET at = at + 1 WHERE id = $1", first);
        if (++runs === 2) both.resolve();
        await both.promise; // Each now has what the other wants.
        await tx.run("UPDATE facts SET at = at + 1 WHERE id = $1", second);
      }, []);
    await Promise.all([crossing("a", "b"), crossing("b", "a")]);
    assert.ok(runs > 2, "one of them was begun again"); // Or both: PostgreSQL looks for crossings now and then.
    assert.deepEqual(
      (await store.read("SELECT at FROM facts")).map(({ at }) => at),
      [2, 2],
    );
  });

  it("runs a piece again whose transaction PostgreSQL ended because it, or the hub, stood still", async () => {
    await using store = await open(await postgres.newDatabase());
    let runs = 0;
    await store.write(async (tx) => {
      await tx.run(insert, "a", ++runs);
      if (runs > 1) return;
      await tx.run("SET LOCAL idle_in_transaction_session_timeout = 50");
      await sleep(200);
      await tx.run(insert, "b", 1);
    }, []);
    assert.deepEqual(await store.read("SELECT at FROM facts"), [{ at: 2 }]);
  });

  it("says that the database is away, and why, and comes back by itself", async () => {
    let slept = 0;
    const clock: Clock = { ...systemClock, elapsed: () => systemClock.elapsed() + slept };
    await using store = await open(await postgres.newDatabase(), { clock });
    await store.write((tx) => tx.run(insert, "before", 1));
    await postgres.kill9();
    await assert.rejects(
      store.write((tx) => tx.run(insert, "lost", 2)),
      {
        kind: "unavailable",
        message: /^PostgreSQL \(postgres at \/tmp\/.*\) does not answer: check that it runs/,
      },
    );
    assert.equal(store.problem?.kind, "unavailable");
    await assert.rejects(store.read("SELECT * FROM facts"), { kind: "unavailable" });
    await postgres.start();
    slept += 500;
    await store.write((tx) => tx.run(insert, "after", 3));
    assert.equal(store.problem, undefined);
    const rows = await store.read("SELECT id FROM facts ORDER BY id");
    assert.deepEqual(
      rows.map(({ id }) => id),
      ["after", "before"],
    );
  });

  it("waits no longer than it says for a database that does not answer", async () => {
    let slept = 0;
    const clock: Clock = { ...systemClock, elapsed: () => systemClock.elapsed() + slept };
    await using store = await open(await postgres.newDatabase(), { clock, statementMs: 500 });
    await store.write((tx) => tx.run(insert, "before", 1));
    postgres.freeze(true);
    try {
      await assert.rejects(store.read("SELECT * FROM facts"), { kind: "unavailable" });
      assert.equal(store.problem?.kind, "unavailable");
    } finally {
      postgres.freeze(false);
    }
    slept += 500;
    assert.equal((await store.read("SELECT * FROM facts")).length, 1);
    assert.equal(store.problem, undefined);
  });

  it("calls off what takes too long", async () => {
    const url = await postgres.newDatabase();
    await using store = await open(url, { statementMs: 1_000 });
    const tooLong = () =>
      assert.rejects(store.read("SELECT pg_sleep(60)"), { kind: "unavailable", message: /took too long/ });
    await tooLong();
    assert.equal((await store.read("SELECT 1 AS one"))[0]?.one, 1);

    // A database that is busy says so late.
    await using observer = await connect(url);
    const late = tooLong();
    const asleep =
      "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    await until("it is under way", async () => (await observer.query(asleep)).rows.length === 1);
    postgres.freeze(true);
    await sleep(1_500);
    postgres.freeze(false);
    await late;
  });

  it("says that the database takes no writes any more, and reads on", async () => {
    const url = await postgres.newDatabase();
    const later: Clock = { ...systemClock, elapsed: () => systemClock.elapsed() * 1e6 }; // It is asked again at once.
    await using store = await open(url, { clock: later });
    await using observer = await connect(url);
    await observer.query("ALTER ROLE hub SET default_transaction_read_only = on");
    try {
      await observer.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orchestrator-hub'",
      );
      while ((await isReadOnly(store)) !== "on");
      await assert.rejects(
        store.write((tx) => tx.run(insert, "a", 1)),
        { kind: "unavailable", message: /takes no writes: is it the standby/ },
      );
      assert.deepEqual(await store.read("SELECT * FROM facts"), []);
      assert.equal(store.problem?.kind, "unavailable");
    } finally {
      await observer.query("ALTER ROLE hub RESET default_transaction_read_only");
    }
  });

  it("says what is wrong with an address", async () => {
    await assert.rejects(open("postgres://hub:geheim@127.0.0.1:1/db"), ({ message }: Error) => {
      assert.match(message, /^PostgreSQL \(db at 127\.0\.0\.1:1\) does not answer/);
      return !message.includes("geheim");
    });
    const url = await postgres.newDatabase();
    await assert.rejects(open(url.replace("/postgres?", "/nowhere?")), {
      message: /there is no database .*nowhere/,
    });
    await assert.rejects(open(url.replace("user=hub", "user=who")), { message: /refuses this hub/ });
  });
});

/** "on" or "off", or that the connection was lost. */
async function isReadOnly(store: PostgresStore): Promise<unknown> {
  const rows = await store.read("SHOW default_transaction_read_only").catch(() => []);
  return rows[0]?.default_transaction_read_only;
}

describe("tables that several hubs share", () => {
  const later: Schema = {
    room: "test",
    migrations: [...factsSchema.migrations, "ALTER TABLE facts ADD COLUMN note TEXT NOT NULL DEFAULT ''"],
  };

  it("are made once, by hubs that start at the same time", async () => {
    const url = await postgres.newDatabase();
    const stores = await Promise.all([open(url), open(url, { schemas: [later] }), open(url), open(url)]);
    for (const store of stores)
      await store.write((tx) => tx.run(insert, "a", 1).then(() => tx.run("DELETE FROM facts")));
    assert.deepEqual(await stores[0]?.read("SELECT room, version, usable_from FROM schema_version"), [
      { room: "test", version: 2, usable_from: 0 },
    ]);
    for (const store of stores) await store[Symbol.asyncDispose]();
  });

  it("are changed under a hub that goes on, and that may start again", async () => {
    const url = await postgres.newDatabase();
    await using old = await open(url);
    await old.write((tx) => tx.run(insert, "a", 1));
    assert.equal((await old.read("SELECT * FROM facts")).length, 1);
    await using next = await open(url, { schemas: [later] });
    await old.write((tx) => tx.run(insert, "b", 2));
    assert.equal((await old.read("SELECT * FROM facts")).length, 2);
    assert.equal((await next.read("SELECT * FROM facts WHERE note = ''")).length, 2);
    await using again = await open(url);
    assert.equal((await again.read("SELECT * FROM facts")).length, 2);
  });

  it("are refused by a hub that cannot work with them", async () => {
    const url = await postgres.newDatabase();
    await (await open(url, { schemas: [{ ...later, usableFrom: 2 }] }))[Symbol.asyncDispose]();
    await assert.rejects(open(url), {
      kind: "unsupported",
      message:
        /a newer hub changed .* \(room test, schema 2, usable from 2, this program knows 1\): start the newer one/,
    });
  });
});
