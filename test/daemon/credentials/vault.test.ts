/** The vault on a real disk: what it refuses, what it survives, and where its key may come from. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "../../../src/base/failure.ts";
import { decrypt, encrypt, newKey } from "../../../src/daemon/credentials/cipher.ts";
import type { Vault } from "../../../src/daemon/credentials/vault.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { about, openVault } from "./open-vault.ts";

const readValue = async (vault: Vault, name: string) => (await vault.value(name)).value.toString();

/** What a vault's file says. */
interface Written {
  entries: { value: string }[];
  key: object;
}

const entriesOf = (text: string) => (JSON.parse(text.split("\n")[1] ?? "") as Written).entries;

test("a ciphertext is good for its own words and its own key only, and with its whole tag", () => {
  const key = newKey();
  const sealed = encrypt(key, Buffer.from("s3cret"), "value openai 1");
  assert.equal(decrypt(key, sealed, "value openai 1")?.toString(), "s3cret");
  assert.equal(decrypt(key, sealed, "value openai 2"), undefined);
  assert.equal(decrypt(newKey(), sealed, "value openai 1"), undefined);
  const short = Buffer.from(sealed, "base64").subarray(0, -12).toString("base64");
  assert.equal(decrypt(key, short, "value openai 1"), undefined);
  assert.notEqual(encrypt(key, Buffer.from("s3cret"), "value openai 1"), sealed);
});

test("values are there after a restart, as revisions, and nowhere on disk in the clear", async () => {
  using folder = tempFolder();
  {
    using vault = openVault(folder.path);
    assert.deepEqual(await vault.list(), []);
    assert.equal((await vault.put(about("openai"), Buffer.from("sk-first"))).revision, 1);
    assert.equal((await vault.put(about("openai"), Buffer.from("sk-second"))).revision, 2);
    await vault.put(about("a"), Buffer.from("other"));
  }
  using vault = openVault(folder.path);
  assert.deepEqual(
    (await vault.list()).map(({ name, revision }) => `${name} ${revision}`),
    ["a 1", "openai 2"],
  );
  assert.equal(await readValue(vault, "openai"), "sk-second");
  const { source } = await vault.sealing();
  assert.equal(source, "file");
  for (const file of await readdir(folder.path)) {
    const bytes = await readFile(join(folder.path, file), "latin1");
    assert.ok(!/sk-|other|c2st|b3RoZXI/.test(bytes), file);
  }
  await vault.remove("a");
  await assert.rejects(vault.value("a"), { kind: "not_found" });
});

test("what was swapped, put back, taken out or written in is refused, and never written over", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "secrets");
  using vault = openVault(folder.path);
  await vault.put(about("one"), Buffer.from("1"));
  await vault.put(about("two"), Buffer.from("2"));
  const older = await readFile(path, "utf8");
  await vault.put(about("one"), Buffer.from("3"));
  const whole = await readFile(path, "utf8");

  const changed = (change: (vault: Written) => void) => {
    const [head = "", body = ""] = whole.split("\n");
    const copy = JSON.parse(body) as Written;
    change(copy);
    return `${head}\n${JSON.stringify(copy)}\n`;
  };
  const [one, two] = entriesOf(whole);
  assert.ok(one && two);
  const attacks = {
    swapped: changed(({ entries }) =>
      entries.splice(0, 2, { ...one, value: two.value }, { ...two, value: one.value }),
    ),
    "put back": changed((it) => it.entries.splice(0, 1, ...entriesOf(older).slice(0, 1))),
    "taken out": changed(({ entries }) => entries.pop()),
    renamed: changed(({ entries }) => Object.assign(entries[0] ?? {}, { name: "three" })),
    "another source": changed((it) => Object.assign(it.key, { source: "systemd", salt: "AAAA" })),
    cut: whole.slice(0, whole.length / 2),
    empty: "",
  };
  for (const [what, text] of Object.entries(attacks)) {
    await writeFile(path, text);
    for (const ask of [
      () => vault.list(),
      () => vault.put(about("four"), Buffer.from("4")),
      () => vault.rotate(),
    ]) {
      await assert.rejects(ask(), { kind: "unavailable" }, what);
    }
    assert.equal(await readFile(path, "utf8"), text, `${what}: the file is as it was found`);
  }
  await writeFile(path, whole);
  assert.equal(await readValue(vault, "one"), "3"); // Put back from a backup, it works without a restart.
});

test("without its key the vault is locked, and says what to do; a new one is only made where there is none", async () => {
  using folder = tempFolder();
  const key = join(folder.path, "key");
  using vault = openVault(folder.path);
  await vault.put(about("one"), Buffer.from("1"));
  vault[Symbol.dispose]();

  await rename(key, `${key}.away`);
  await assert.rejects(vault.list(), {
    kind: "unavailable",
    message: /key file .* is not there: put it back/,
  });
  await writeFile(key, `${newKey().toString("base64")}\n`, { mode: 0o600 });
  await assert.rejects(vault.list(), { kind: "unavailable", message: /holds another key: put it back/ });
  await rename(`${key}.away`, key);
  await chmod(key, 0o644);
  await assert.rejects(vault.list(), { kind: "unavailable", message: /others may use .*: chmod 600/ });
  await chmod(key, 0o600);
  assert.equal(await readValue(vault, "one"), "1");

  const before = await readFile(key, "utf8");
  await rename(join(folder.path, "secrets"), join(folder.path, "secrets.away"));
  assert.deepEqual(await vault.list(), []);
  assert.equal(await readFile(key, "utf8"), before, "a key that a backup may need is used, not replaced");

  await vault.put(about("one"), Buffer.from("1"));
  await vault.destroy();
  assert.deepEqual(
    (await readdir(folder.path)).filter((name) => !name.endsWith(".away")),
    [],
  );
  assert.deepEqual(await vault.list(), []);
});

test("a rotation changes both keys and nothing else, and moves to the source that is set", async () => {
  using folder = tempFolder();
  const passphraseFile = join(folder.path, "passphrase");
  await writeFile(passphraseFile, "correct horse battery\n", { mode: 0o600 });
  const texts: string[] = [];
  const remember = async () => texts.push(await readFile(join(folder.path, "secrets"), "utf8"));
  using byFile = openVault(folder.path);
  await byFile.put(about("one"), Buffer.from("1"));
  const { publicKey } = await byFile.sealing();
  await remember();
  assert.equal(await byFile.rotate(), 1);
  await remember();

  using vault = openVault(folder.path, { keySource: "passphrase", passphraseFile });
  assert.equal((await vault.sealing()).source, "file");
  await vault.rotate();
  await remember();
  assert.equal((await vault.sealing()).source, "passphrase");
  assert.ok((await vault.sealing()).publicKey.equals(publicKey));
  assert.equal(await readValue(vault, "one"), "1");
  const entries = texts.map((text) => entriesOf(text)[0]?.value);
  assert.equal(new Set(entries).size, 3);

  // A new passphrase stands before the old one until the key is rotated.
  vault[Symbol.dispose]();
  await writeFile(passphraseFile, "another horse battery\ncorrect horse battery\n");
  await vault.rotate();
  vault[Symbol.dispose]();
  await writeFile(passphraseFile, "another horse battery\n");
  assert.equal(await readValue(vault, "one"), "1");
  vault[Symbol.dispose]();
  await writeFile(passphraseFile, "correct horse battery\n");
  await assert.rejects(vault.list(), {
    kind: "unavailable",
    message: /the key from passphrase does not open it/,
  });
  await writeFile(passphraseFile, "short\n");
  await assert.rejects(vault.list(), { message: /less than 12 bytes/ });
});

test("systemd's credential is a key; without it, without a TPM, the vault is locked and says why", async () => {
  using folder = tempFolder();
  using other = tempFolder();
  await writeFile(join(folder.path, "orchestrator-vault-key"), newKey(), { mode: 0o400 });
  const settings = { keySource: "systemd" as const, systemdFolder: folder.path };
  using vault = openVault(other.path, settings);
  await vault.put(about("one"), Buffer.from("1"));
  await vault.rotate();
  using again = openVault(other.path, settings);
  assert.equal(await readValue(again, "one"), "1");
  using without = openVault(other.path, { keySource: "systemd" });
  await assert.rejects(without.list(), {
    kind: "unavailable",
    message: /LoadCredentialEncrypted=orchestrator-vault-key/,
  });
  using tpm = openVault(join(other.path, "tpm"), { keySource: "tpm" });
  await assert.rejects(tpm.list(), { kind: "unavailable", message: /has no TPM|tpm2-tools|the TPM refuses/ });
});

/** The program in vault-life.ts, and which of its changes may be on disk. */
function startLife(folder: string) {
  const child = spawn(process.execPath, [new URL("vault-life.ts", import.meta.url).pathname, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const seen = { begun: 0, done: 0 };
  let rest = "";
  child.stdout.on("data", (text: Buffer) => {
    const lines = (rest + text.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [what, n] = line.split(" ");
      seen[what === "begun" ? "begun" : "done"] = Number(n);
    }
  });
  return { child, seen };
}

/** Opens what a cut left, and says which change it is. */
async function changeIn(folder: string): Promise<number> {
  using vault = openVault(folder);
  const values = await Promise.all((await vault.list()).map(({ name }) => readValue(vault, name)));
  return Math.max(0, ...values.map((value) => Number(value.slice("value-".length))));
}

test("whatever moment changes and rotations are cut off at, the vault opens, with all that was said to be done", async () => {
  using folder = tempFolder();
  using copies = tempFolder();
  const { child, seen } = startLife(folder.path);
  try {
    while (seen.done === 0) await once(child.stdout ?? assert.fail(), "data");
    // A stopped program's files are those of a killed one: a picture of them is a cut. So there can be hundreds.
    for (let round = 0; round < 150; round++) {
      await sleep(Math.random() * 3);
      const atLeast = seen.done;
      child.kill("SIGSTOP");
      await stopped(child);
      const picture = join(copies.path, String(round));
      await cp(folder.path, picture, { recursive: true });
      child.kill("SIGCONT");
      const change = await changeIn(picture);
      assert.ok(change >= atLeast, `${change} is older than ${atLeast}, which was said to be done`);
    }
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  assert.ok(seen.done > 20, `${seen.done} changes were cut into`);
});

test("the same by kill -9 itself", async () => {
  using folder = tempFolder();
  for (let round = 0; round < 4; round++) {
    const { child, seen } = startLife(folder.path);
    while (seen.begun === 0) await once(child.stdout ?? assert.fail(), "data");
    await sleep(Math.random() * 20);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    assert.ok((await changeIn(folder.path)) >= Math.min(1, seen.done));
  }
});

async function stopped({ pid }: ChildProcess): Promise<void> {
  for (;;) {
    const tasks = await readdir(`/proc/${pid}/task`);
    const states = await Promise.all(
      tasks.map(
        async (task) =>
          /^State:\s+(\S)/m.exec(await readFile(`/proc/${pid}/task/${task}/status`, "utf8"))?.[1],
      ),
    );
    if (states.every((state) => state === "T")) return;
    if (states.some((state) => state === "Z")) throw failure("internal", "the program ended by itself");
  }
}
