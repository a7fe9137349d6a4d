import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { aborted } from "../../../src/base/tasks.ts";
import { Operators, schema } from "../../../src/hub/operators/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { storeIn } from "../../fixtures/stores.ts";

/** Operators in a folder, at a time that the test sets. */
async function open(path: string, time: { now: number }) {
  const clock: Clock = { ...systemClock, now: () => time.now };
  const opened = new AsyncDisposableStack();
  const store = opened.use(await storeIn(path, [schema], clock));
  const operators = opened.use(new Operators(store, clock));
  return { store, operators, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const hourMs = 3_600_000;

test("there is always one way in: an admin token is made at first, and again when the last has expired", async () => {
  using folder = tempFolder();
  const time = { now: Date.parse("2026-01-01T00:00:00Z") };
  const file = join(folder.path, "admin.token");
  await using hub = await open(folder.path, time);
  const { operators } = hub;

  assert.equal(await operators.ensureAdmin(file), true);
  const first = readFileSync(file, "utf8").trim();
  assert.equal(await operators.ensureAdmin(file), false);
  const { tokenId } = await operators.authenticate(first);
  assert.equal(await operators.ensureAdmin(file, { anyway: true }), true);
  const second = readFileSync(file, "utf8").trim();
  assert.notEqual(second, first);
  await operators.revoke((await operators.authenticate(second)).tokenId);
  await operators.create({ name: "short", role: "admin", validForMs: hourMs });
  await operators.revoke(tokenId);
  assert.equal(await operators.ensureAdmin(file), false);
  time.now += hourMs;
  assert.equal(await operators.ensureAdmin(file), true);
  assert.equal((await operators.authenticate(readFileSync(file, "utf8").trim())).role, "admin");
});

test("a hub whose store is away when last uses are written goes on", async () => {
  using folder = tempFolder();
  const stop = new AbortController();
  let sleeps = 0;
  const sleep = async () => {
    if (++sleeps === 3) stop.abort();
  };
  const clock: Clock = { ...systemClock, sleep };
  const store = await storeIn(folder.path, [schema], systemClock);
  await using operators = new Operators(store, clock);
  const { token } = await operators.create({ name: "ci", role: "viewer", validForMs: 0 });
  await operators.authenticate(token);
  await store[Symbol.asyncDispose]();
  await operators.run(stop.signal);
  assert.equal(sleeps, 3);
});

test("the last use of a token is kept to the minute, over a restart", async () => {
  using folder = tempFolder();
  const time = { now: Date.parse("2026-01-01T10:20:30Z") };
  const before = await open(folder.path, time);
  const { token } = await before.operators.create({ name: "ci", role: "viewer", validForMs: 0 });
  await before.operators.authenticate(token);
  await before[Symbol.asyncDispose]();

  await using after = await open(folder.path, time);
  const [record] = await after.operators.list();
  assert.equal(record?.usedAt, Date.parse("2026-01-01T10:20:00Z"));
  const [row] = await after.store.read("SELECT * FROM operator_tokens");
  assert.equal(
    JSON.stringify(row).includes(token.split("_").slice(2).join("_")),
    false,
    "the secret is kept nowhere",
  );
});

test("who watches with a token hears when it expires, also months later", async (t) => {
  using folder = tempFolder();
  const time = { now: Date.parse("2026-01-01T00:00:00Z") };
  await using hub = await open(folder.path, time);
  const days = 24 * hourMs;
  const { token } = await hub.operators.create({ name: "long", role: "viewer", validForMs: 40 * days });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { signal } = await hub.operators.authenticate(token);
  for (let day = 1; day <= 40; day++) {
    assert.equal(signal.aborted, false, `day ${day}`);
    time.now += days;
    t.mock.timers.tick(days);
  }
  assert.match(String(signal.reason), /this operator token expired at 2026-02-10/);
});

test("who watches with a token hears when it expires", async () => {
  using folder = tempFolder();
  const time = { now: Date.parse("2026-01-01T00:00:00Z") };
  await using hub = await open(folder.path, time);
  const { token } = await hub.operators.create({ name: "brief", role: "viewer", validForMs: hourMs });
  time.now += hourMs - 20;

  const { signal } = await hub.operators.authenticate(token);
  time.now += 20;
  await aborted(signal);

  assert.match(String(signal.reason), /this operator token expired at 20/);
  await assert.rejects(hub.operators.authenticate(token), { kind: "denied", message: /expired at 20/ });
});
