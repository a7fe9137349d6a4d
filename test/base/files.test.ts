import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { asFailure, errorChain, failure, invalidFields } from "../../src/base/failure.ts";
import { makeFolder, writeWhole } from "../../src/base/files.ts";
import { smallDisk, tempFolder } from "../fixtures/folder.ts";

test("a file is replaced whole, private, and leaves no draft behind", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "keys", "key.pem");
  await writeWhole(path, "one");
  await writeWhole(path, "two");
  assert.equal(readFileSync(path, "utf8"), "two");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(folder.path, "keys")), ["key.pem"]);
});

test("a write that does not fit leaves the old file and no draft", async () => {
  using disk = smallDisk(256 * 1024);
  const path = join(disk.path, "state");
  await writeWhole(path, "old");
  await assert.rejects(writeWhole(path, Buffer.alloc(1 << 20)), /ENOSPC/);
  assert.equal(readFileSync(path, "utf8"), "old");
  assert.deepEqual(readdirSync(disk.path), ["state"]);
});

test("folders are made down to the last, and what cannot be made ends with why", () => {
  using folder = tempFolder();
  const path = join(folder.path, "a", "b", "c");
  makeFolder(path, 0o700);
  makeFolder(path, 0o755);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.throws(() => makeFolder("/proc/nowhere/deep", 0o700), { code: "ENOENT" });
  assert.throws(() => makeFolder("/dev/null/x", 0o700), { code: "ENOTDIR" });
});

test("what nobody translated is internal and keeps its story for the log", () => {
  const defect = new TypeError("x is undefined", { cause: new Error("deep") });
  const told = asFailure(defect);
  assert.equal(told.kind, "internal");
  assert.doesNotMatch(told.message, /undefined/);
  assert.match(errorChain(told), /x is undefined: deep/);
});

test("an abort is what its reason says, else cancelled; a timeout is a deadline", () => {
  const reason = failure("deadline", "too late");
  assert.equal(asFailure(reason), reason);
  assert.equal(asFailure(AbortSignal.timeout(0) && new DOMException("x", "TimeoutError")).kind, "deadline");
  assert.equal(asFailure(new DOMException("x", "AbortError")).kind, "cancelled");
});

test("every violation is in the message, with its field", () => {
  const told = invalidFields([
    { field: "spec.name", message: "is required" },
    { field: "spec.image", message: "is required" },
  ]);
  assert.equal(told.message, "spec.name: is required; spec.image: is required");
});
