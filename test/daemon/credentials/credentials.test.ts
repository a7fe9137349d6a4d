/** Credentials as commands: sealed values in, nothing out; and lent as files in memory, without an engine. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SetCredentialRequestSchema, SetOnly } from "../../../gen/edge/v1/credentials_pb.ts";
import { CredentialChangeKind } from "../../../gen/edge/v1/events_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { seal } from "../../../src/cli/seal.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { agent, openSecrets } from "./room.ts";

/** A folder in memory, as /run is where systemd runs. */
function memoryFolder() {
  const path = mkdtempSync("/dev/shm/orchestrator-test-");
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("a value comes sealed for its own name, once for each command, and is never answered", async () => {
  using folder = tempFolder();
  using secrets = openSecrets({ folder: folder.path });
  const { credentials, set } = secrets;
  const first = await set("openai", "sk-first", { id: "cmd-1" });
  assert.deepEqual([first.name, first.revision, first.uses], ["openai", 1, 0n]);
  assert.equal((await set("openai", "sk-first", { id: "cmd-1" })).revision, 1, "the command brought again");
  assert.equal((await set("openai", "sk-second")).revision, 2);

  const { jwk = "", keySource, thumbprint } = await credentials.sealingKey();
  assert.equal(keySource, "file");
  assert.match(thumbprint ?? "", /^[\w-]{43}$/);
  const foreign = openSecrets({ folder: join(folder.path, "other") });
  const { jwk: foreignJwk = "" } = await foreign.credentials.sealingKey();
  foreign[Symbol.dispose]();
  const request = async (sealed: string, only: SetOnly = SetOnly.UNSPECIFIED, name = "openai") =>
    await credentials.set(create(SetCredentialRequestSchema, { name, sealed, only }), { id: "cmd-x" });
  const sealed = await seal(Buffer.from("v"), "openai", jwk);
  await assert.rejects(request(sealed, SetOnly.UNSPECIFIED, "other"), {
    kind: "invalid",
    message: /for another credential than other/,
  });
  await assert.rejects(request(await seal(Buffer.from("v"), "openai", foreignJwk)), {
    message: /to another key/,
  });
  await assert.rejects(request(`${sealed.slice(0, -4)}AAAA`), { message: /changed on the way/ });
  await assert.rejects(request("a.b.c.d.e"), { message: /seal it with/ });
  await assert.rejects(request(await seal(Buffer.alloc(0), "openai", jwk)), { message: /holds nothing/ });
  await assert.rejects(request(await seal(Buffer.alloc(65_537), "openai", jwk)), {
    message: /more than 65536 bytes/,
  });
  await assert.rejects(request(sealed, SetOnly.CREATE), { kind: "conflict" });
  await assert.rejects(request(sealed, SetOnly.REPLACE, "none"), { kind: "not_found" });
  assert.equal((await credentials.list())[0]?.revision, 2, "what was refused changed nothing");
});

test("an unreadable vault answers every call with what to do, and is left as it is", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "vault/secrets");
  using secrets = openSecrets({
    folder: folder.path,
    agents: { poet: agent({ name: "poet", credentials: [{ name: "a" }] }) },
  });
  const { credentials, set } = secrets;
  await set("a", "value-of-a");
  await assert.rejects(credentials.remove("a", false, { id: "1" }), {
    kind: "conflict",
    message: /named by agent poet/,
  });
  await writeFile(path, "garbage");
  const calls = {
    sealingKey: () => credentials.sealingKey(),
    list: () => credentials.list(),
    remove: () => credentials.remove("a", true, { id: "1" }),
    rotateKey: () => credentials.rotateKey({ id: "2" }),
    use: () => credentials.use("a", { agent: "poet", taskId: "", purpose: "test" }),
    check: () => credentials.check(agent({ credentials: [{ name: "a" }] })),
  };
  for (const [name, call] of Object.entries(calls)) {
    await assert.rejects(
      call(),
      { kind: "unavailable", message: /put it back from a backup, or move it away/ },
      name,
    );
  }
  assert.equal(await readFile(path, "utf8"), "garbage");
});

test("cells see what they are lent: their own only, a new value at once, and nothing after its end", async () => {
  using folder = tempFolder();
  using memory = memoryFolder();
  let nowMs = Date.UTC(2026, 10, 21);
  const clock = { ...systemClock, now: () => nowMs };
  const spec = agent({
    name: "poet",
    credentials: [{ name: "a", file: "token" }, { name: "b" }, { name: "c", upstream: { url: "https://x" } }],
  });
  const options = { folder: folder.path, lentFolder: memory.path, clock, agents: { poet: spec } };
  const cells = join(folder.path, "cells");
  const lend = async ({ lending }: Pick<ReturnType<typeof openSecrets>, "lending">, id: string) => {
    await mkdir(join(cells, id), { recursive: true });
    return await lending.prepare(
      { id, agent: "poet", version: 1, spec, imageId: "", commandId: "cmd-1" },
      join(cells, id),
    );
  };
  const own = join(memory.path, "instance");
  {
    using secrets = openSecrets(options);
    const { set, lending, credentials } = secrets;
    await set("a", "value-of-a");
    await assert.rejects(lend(secrets, "cell-0"), { kind: "not_found", message: /no credential b/ });
    assert.deepEqual(await readdir(own), [], "what could not be lent whole is not lent at all");
    await set("b", "value-of-b", { expiresAtMs: nowMs + 60_000 });

    const provision = await lend(secrets, "cell-1");
    const [mount] = provision.mounts;
    assert.deepEqual(provision, {
      mounts: [{ source: join(own, "cell-1"), target: "/run/orchestrator/secrets", readOnly: true }],
      env: {},
    });
    assert.ok((await stat(join(cells, "cell-1/secrets"))).isDirectory(), "a mount needs a place");
    const source = mount?.source ?? "";
    assert.deepEqual(await readdir(source), ["b", "token"]);
    const file = await stat(join(source, "token"));
    assert.deepEqual([file.mode & 0o777, file.uid, (await stat(own)).mode & 0o777], [0o400, 65_532, 0o700]);

    await set("a", "another value");
    assert.equal(await readFile(join(source, "token"), "utf8"), "another value");
    assert.deepEqual(await readdir(source), ["b", "token"], "no draft is left");
    assert.equal((await credentials.list())[0]?.uses, 1n);

    nowMs += 60_000;
    assert.equal(await credentials.endExpired(), undefined);
    assert.deepEqual(await readdir(source), ["token"]);
    await assert.rejects(lend(secrets, "cell-2"), {
      kind: "denied",
      message: /credential b expired at .*rotate b/,
    });
    await credentials.endExpired();
    const ends = secrets
      .facts()
      .filter((one) => one.case === "credential" && one.value.kind === CredentialChangeKind.EXPIRED);
    assert.equal(ends.length, 1, "an end is told once");
    await set("b", "b again");
    assert.equal(await readFile(join(source, "b"), "utf8"), "b again", "a new value is lent again");
    assert.ok(
      (await secrets.audited()).includes("lend credential/a ok: revision 1, to agent poet, in cell-1"),
    );

    // A value that is set while the daemon dies before it reaches the cells.
    await chmod(join(source, "token"), 0o600);
    await writeFile(join(source, "token"), "a value of before");
    await writeFile(join(source, ".token.draft"), "half");
    mkdirSync(join(own, "cell-of-nobody"));
    await lending.prepare(
      { id: "cell-3", agent: "poet", version: 1, spec, imageId: "", commandId: "" },
      join(cells, "cell-1"),
    );
  }
  using next = openSecrets(options);
  await next.lending.refill();
  assert.deepEqual((await readdir(own)).sort(), ["cell-1", "cell-3"]);
  assert.equal(await readFile(join(own, "cell-1/token"), "utf8"), "another value");
  await next.credentials.remove("a", true, { id: "cmd-2" });
  assert.deepEqual(await readdir(join(own, "cell-1")), ["b"]);
  for (const cell of ["cell-1", "cell-3", "cell-3", "cell-never"]) await next.lending.release(cell);
  assert.deepEqual(await readdir(own), []);
});

test("a secret leaves the cells at its end by itself, however late it was set", async () => {
  using folder = tempFolder();
  using memory = memoryFolder();
  using secrets = openSecrets({ folder: folder.path, lentFolder: memory.path });
  const stop = new AbortController();
  const running = secrets.room.run(stop.signal);
  const spec = agent({ name: "poet", credentials: [{ name: "a" }] });
  await secrets.set("a", "value-of-a");
  const cell = { id: "cell-1", agent: "poet", version: 1, spec, imageId: "", commandId: "" };
  await secrets.lending.prepare(cell, folder.path);
  const lent = () => readdir(join(memory.path, "instance/cell-1"));
  assert.deepEqual(await lent(), ["a"]);
  assert.equal((await secrets.credentials.sealingKey()).lendingProblem, "");
  await secrets.set("a", "value-of-a", { expiresAtMs: Date.now() + 200 });
  await until("it is taken away", async () => (await lent()).length === 0);
  stop.abort();
  await running;
});

test("memory that is full is told, and what a cell has it keeps", async () => {
  using folder = tempFolder();
  using memory = smallDisk(64 << 10); // A tmpfs.
  using secrets = openSecrets({ folder: folder.path, lentFolder: memory.path });
  const spec = agent({ name: "poet", credentials: [{ name: "a" }, { name: "b" }] });
  await secrets.set("a", "value-of-a");
  await secrets.set("b", "b".repeat(60 << 10));
  const ask = { agent: "poet", version: 1, spec, imageId: "", commandId: "" };
  const [one] = spec.credentials;
  const small = agent({ name: "poet", credentials: one ? [one] : [] });
  await secrets.lending.prepare({ ...ask, id: "cell-1", spec: small }, folder.path);
  await assert.rejects(secrets.lending.prepare({ ...ask, id: "cell-2" }, folder.path), {
    kind: "exhausted",
    message: /is full: make the file system at credentials.lent_folder larger/,
  });
  assert.deepEqual(await readdir(join(memory.path, "instance")), ["cell-1"]);
  await secrets.set("a", "a".repeat(64 << 10));
  assert.equal(await readFile(join(memory.path, "instance/cell-1/a"), "utf8"), "value-of-a");
});

test("nothing is lent from a disk, and the sentence says what to do; to look makes nothing", async () => {
  using folder = tempFolder();
  // A file system that nothing can be mounted on, whoever asks.
  using secrets = openSecrets({ folder: folder.path, lentFolder: "/proc/orchestrator-secrets" });
  await secrets.set("a", "value-of-a");
  const problem = /secrets cannot be lent: .* is not in memory\. Mount it as root \(mount -t tmpfs -o noswap/;
  await assert.rejects(secrets.credentials.check(agent({ credentials: [{ name: "a" }] })), {
    kind: "unavailable",
    message: problem,
  });
  await secrets.credentials.check(agent({ credentials: [{ name: "a", upstream: { url: "https://x" } }] }));

  using looking = openSecrets({ folder: join(folder.path, "b"), lentFolder: join(folder.path, "lent") });
  await looking.credentials.sealingKey();
  await assert.rejects(stat(join(folder.path, "lent")), { code: "ENOENT" });
});
