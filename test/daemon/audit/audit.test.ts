import assert from "node:assert/strict";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AuditEntrySchema, AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { SetCredentialRequestSchema } from "../../../gen/edge/v1/credentials_pb.ts";
import { hashOf } from "../../../src/daemon/audit/chain.ts";
import { keyOf } from "../../../src/daemon/audit/signing.ts";
import { rows } from "../../../src/daemon/audit/trail.ts";
import { type Standing, Verification } from "../../../src/daemon/audit/verify.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import fc from "../../fixtures/properties.ts";
import { caller, newKey, openTrail, tamper } from "./trail.ts";

test("entries are chained, listed by what is asked, and signed when there is something new", async () => {
  using folder = tempFolder();
  using trail = openTrail(join(folder.path, "db"));
  trail.note(3);
  trail.note(2, "agent/poet");
  trail.sign();
  trail.sign();
  const { entries, lastSequence } = await trail.list();
  assert.deepEqual(
    entries.map(({ sequence, kind, subject }) => [Number(sequence), kind, subject]),
    [
      [1, AuditKind.COMMAND, "runtime/plc1"],
      [2, AuditKind.COMMAND, "runtime/plc1"],
      [3, AuditKind.COMMAND, "runtime/plc1"],
      [4, AuditKind.COMMAND, "agent/poet"],
      [5, AuditKind.COMMAND, "agent/poet"],
      [6, AuditKind.CHECKPOINT, "audit/5"],
    ],
  );
  assert.equal(lastSequence, 6n);
  assert.deepEqual(
    trail.told().map(({ sequence }) => sequence),
    [5n],
    "nothing new, nothing signed",
  );
  const numbers = async (request: Parameters<typeof trail.list>[0]) =>
    (await trail.list(request)).entries.map(({ sequence }) => Number(sequence));
  assert.deepEqual(await numbers({ subject: "agent/poet" }), [4, 5]);
  assert.deepEqual(await numbers({ limit: 2, newest: true }), [5, 6]);
  assert.deepEqual(await numbers({ limit: 2, afterSequence: 3n }), [4, 5]);
  assert.deepEqual(await numbers({ kinds: [AuditKind.CHECKPOINT] }), [6]);
  assert.deepEqual(await numbers({ actor: "operator/bob" }), []);
  const { intact, head } = await trail.verify(trail.told());
  assert.ok(intact);
  assert.equal(head?.sequence, 5n);
});

test("an entry is written with what it is about, or not at all", async () => {
  using folder = tempFolder();
  using trail = openTrail(join(folder.path, "db"));
  trail.note(1);
  assert.throws(() =>
    trail.sql.transaction(() => {
      trail.note(1);
      throw new Error("what it is about failed");
    }),
  );
  trail.note(1);
  const { intact, entries } = await trail.verify();
  assert.deepEqual([intact, entries], [true, 2n]);
  assert.throws(() => trail.sql.run("DELETE FROM audit_entries"), /never removed/);
  assert.throws(
    () => trail.sql.run("UPDATE audit_entries SET sequence = 9 WHERE sequence = 1"),
    /never changed/,
  );
});

test("a request is hashed, and nothing of it is kept", async () => {
  using folder = tempFolder();
  using trail = openTrail(join(folder.path, "db"));
  const request = create(SetCredentialRequestSchema, { name: "openai", description: "a-secret-by-mistake" });
  trail.audit.record({
    kind: AuditKind.COMMAND,
    caller,
    action: "set_credential",
    outcome: "allowed",
    request,
  });
  const [entry] = (await trail.list()).entries;
  assert.equal(entry?.requestSha256.length, 32);
  assert.ok(entry && !Buffer.from(toBinary(AuditEntrySchema, entry)).includes("a-secret-by-mistake"));
});

test("a node that gets its identity later signs what came before, and a renewed key does not make old signatures wrong", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "db");
  const lives = ["", newKey(), newKey()];
  for (const key of lives) {
    using trail = openTrail(path, key || undefined);
    trail.note(2);
    if (key === "") assert.deepEqual(trail.told(), []);
    else trail.sign();
  }
  using trail = openTrail(path);
  assert.equal((await trail.verify(trail.told())).intact, true);
  assert.equal(trail.told().length, 2);
});

/** One change of the table by whoever has the disk in his hands; `at` is an entry of the ten that there are. */
const changes = fc.oneof(
  fc.record({
    what: fc.constant("byte" as const),
    at: fc.integer({ min: 1, max: 11 }),
    where: fc.nat(),
    by: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ what: fc.constant("remove" as const), at: fc.integer({ min: 1, max: 10 }) }),
  fc.record({ what: fc.constant("swap" as const), at: fc.integer({ min: 1, max: 10 }) }),
  fc.record({ what: fc.constant("cut" as const), at: fc.integer({ min: 1, max: 10 }) }),
  fc.record({
    what: fc.constant("shift" as const),
    at: fc.integer({ min: 1, max: 11 }),
    by: fc.integer({ min: 20, max: 40 }),
  }),
  fc.record({ what: fc.constant("double" as const), at: fc.integer({ min: 1, max: 11 }) }),
);

/** The rows of the table after a change. */
function after(
  rows: readonly Standing[],
  one: typeof changes extends fc.Arbitrary<infer T> ? T : never,
): Standing[] {
  const at = (place: number) => rows.find((row) => row.place === place)?.bytes ?? new Uint8Array();
  const put = (place: number, bytes: Uint8Array) =>
    [...rows.filter((row) => row.place !== place), { place, bytes }].sort((a, b) => a.place - b.place);
  switch (one.what) {
    case "byte": {
      const bytes = Uint8Array.from(at(one.at));
      const where = one.where % bytes.length;
      bytes[where] = (bytes[where] ?? 0) ^ one.by;
      return put(one.at, bytes);
    }
    case "remove":
      return rows.filter(({ place }) => place !== one.at);
    case "swap":
      return rows.map(({ place, bytes }) => {
        const other = place === one.at ? place + 1 : place === one.at + 1 ? one.at : place;
        return { place, bytes: other === place ? bytes : at(other) };
      });
    case "cut":
      return rows.filter(({ place }) => place < one.at);
    case "shift":
      return after(put(one.at + one.by, at(one.at)), { what: "remove", at: one.at });
    case "double":
      return put(12, at(one.at));
  }
}

test("any single change of the trail is found", () => {
  using folder = tempFolder();
  using trail = openTrail(join(folder.path, "db"));
  trail.note(10);
  trail.sign();
  const whole = rows(trail.sql, { most: 100 });
  const faults = (standing: readonly Standing[]) => {
    const verification = new Verification(new Set([10]));
    for (const one of trail.told()) verification.expect(one, keyOf(trail.sql, one.keySha256), "on this node");
    for (const row of standing) verification.look(row);
    verification.end();
    return verification.faults;
  };
  assert.deepEqual(faults(whole), []);
  fc.assert(
    fc.property(changes, (one) => faults(after(whole, one)).length > 0),
    { numRuns: 400 },
  );
});

test("what was changed is named", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "db");
  const key = newKey();
  const checkpoints = (() => {
    using trail = openTrail(path, key);
    trail.note(10);
    trail.sign();
    trail.note(2);
    return trail.told();
  })();
  const found = async (work: (database: DatabaseSync) => void, elsewhere = checkpoints) => {
    const copy = join(folder.path, `copy-${Math.random()}`);
    copyFileSync(path, copy);
    tamper(copy, work);
    using trail = openTrail(copy, key);
    return (await trail.verify(elsewhere)).faults.map(({ sequence, problem }) => `${sequence}: ${problem}`);
  };
  const run = (sql: string) => (database: DatabaseSync) => database.exec(sql);

  assert.deepEqual(await found(run("DELETE FROM audit_entries WHERE sequence IN (4, 5)")), [
    "6: entries 4 to 5 were removed",
  ]);
  assert.deepEqual(
    await found(run("DELETE FROM audit_entries WHERE sequence > 7; DELETE FROM audit_checkpoints")),
    ["10: entries 8 to 10 were removed: the trail was cut off"],
  );
  assert.deepEqual(await found(run("DELETE FROM audit_checkpoints"), []), [
    "11: the checkpoint of entry 10 that it tells of was removed",
  ]);
  assert.deepEqual(await found(run("UPDATE audit_keys SET spki = x'00'"), []), [
    "10: its checkpoint on this node does not have the signature of its key: it was changed",
  ]);

  // Somebody changes an entry and makes its hash anew, and that of all that follow: only what was signed contradicts him.
  const rewritten = await found((database) => {
    let previousHash = new Uint8Array(32);
    for (const row of database.prepare("SELECT * FROM audit_entries ORDER BY sequence").all()) {
      const entry = fromBinary(AuditEntrySchema, row.entry as Uint8Array);
      const changed = {
        ...entry,
        previousHash,
        subject: entry.sequence === 3n ? "runtime/other" : entry.subject,
      };
      const hash = hashOf(changed);
      previousHash = Uint8Array.from(hash);
      const bytes = toBinary(AuditEntrySchema, { ...changed, hash });
      database
        .prepare("UPDATE audit_entries SET entry = ? WHERE sequence = ?")
        .run(bytes, Number(entry.sequence));
    }
  });
  assert.deepEqual(rewritten, [
    "10: it is not the entry that was signed, as its checkpoint on this node says: it was replaced",
    "10: it is not the entry that was signed, as its checkpoint that was handed in says: it was replaced",
  ]);
});

test("a full disk takes no entry, and then nothing is done", async () => {
  using disk = smallDisk(512 << 10);
  const path = join(disk.path, "db");
  using trail = openTrail(path);
  trail.sql.run("CREATE TABLE deeds (name TEXT) STRICT");
  const act = () =>
    trail.sql.transaction(() => {
      trail.sql.run("INSERT INTO deeds VALUES ('done')");
      trail.note(1);
    });
  act();
  const rest = join(disk.path, "rest");
  assert.throws(() => writeFileSync(rest, Buffer.alloc(512 << 10)), /ENOSPC/);
  assert.throws(
    () => {
      for (let at = 0; at < 100; at++) act();
    },
    { kind: "exhausted", message: /without it nothing is done|no space left/ },
  );
  rmSync(rest);
  const { intact, entries } = await trail.verify();
  const deeds = Number(trail.sql.get("SELECT COUNT(*) AS count FROM deeds")?.count);
  assert.deepEqual([intact, Number(entries)], [true, deeds]);
  act();
});
