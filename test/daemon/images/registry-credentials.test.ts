import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { credentialsFor, longestMatch, registryOf } from "../../../src/daemon/images/registry-credentials.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const hub = "https://index.docker.io/v1/";

test("the entry that says most of an image's registry and repository counts, at whole names only", () => {
  const keys = ["ghcr.io", "ghcr.io/owner", "ghcr.io/owner/plc", "127.0.0.1:5000", hub, "Upper.example/"];
  const found = {
    "ghcr.io/owner/plc:4": "ghcr.io/owner/plc",
    "ghcr.io/owner/plc@sha256:00": "ghcr.io/owner/plc",
    "ghcr.io/owner/plc2:4": "ghcr.io/owner",
    "ghcr.io/owners/plc": "ghcr.io",
    "ghcr.io.evil.example/owner/plc": undefined,
    "127.0.0.1:5000/plc": "127.0.0.1:5000",
    "127.0.0.1:50001/plc": undefined,
    "plc:4": hub,
    "owner/plc": hub,
    "docker.io/owner/plc": hub,
    "upper.example/plc": "Upper.example/",
  };
  for (const [image, key] of Object.entries(found)) assert.equal(longestMatch(keys, image), key, image);
  assert.equal(longestMatch(["docker.io/library", "docker.io"], "plc"), "docker.io/library");
  assert.equal(registryOf("localhost/plc"), "localhost");
  assert.equal(registryOf("owner/plc"), "docker.io");
});

test("name and password, or an identity token; without a file, or with an empty entry, nobody", async () => {
  using folder = tempFolder();
  const file = join(folder.path, "registries.json");
  const write = (content: unknown) => writeFileSync(file, JSON.stringify(content), { mode: 0o600 });
  assert.equal(await credentialsFor("ghcr.io/a/b", file), undefined);
  const auth = Buffer.from("robot$plant:se:cret").toString("base64");
  write({ auths: { "ghcr.io": { auth }, "quay.io": { identitytoken: "long" }, "gcr.io": {} }, other: 1 });
  assert.deepEqual((await credentialsFor("ghcr.io/a/b", file))?.auth, {
    ...{ username: "robot$plant", password: "se:cret", serveraddress: "ghcr.io" },
  });
  assert.deepEqual((await credentialsFor("quay.io/a", file))?.auth, {
    ...{ identitytoken: "long", serveraddress: "quay.io" },
  });
  assert.equal(await credentialsFor("gcr.io/a", file), undefined);
  write({ auths: { "gcr.io": { username: "u", password: "p" } } }); // Read again.
  assert.equal((await credentialsFor("gcr.io/a", file))?.entry, "gcr.io");
});

test("a file that cannot be used is refused by name, and nothing of it is repeated", async () => {
  using folder = tempFolder();
  const file = join(folder.path, "registries.json");
  const refused = async (content: string, kind: string, says: RegExp, mode = 0o600) => {
    writeFileSync(file, content);
    chmodSync(file, mode);
    await assert.rejects(credentialsFor("ghcr.io/a/b", file), (thrown: Error & { kind?: string }) => {
      assert.equal(thrown.kind, kind);
      assert.match(thrown.message, says);
      assert.ok(thrown.message.includes(file));
      assert.doesNotMatch(thrown.message + String(thrown.cause), /hunter2/);
      return true;
    });
  };
  await refused("{}", "denied", /has mode 0640, so others may use it: chmod 600/, 0o640);
  await refused("{}", "denied", /has mode 0604/, 0o604);
  await refused('{"auths": hunter2', "invalid", /is not JSON/);
  await refused('["hunter2"]', "invalid", /not in the format .* at its top/);
  await refused('{"auths": {"ghcr.io": {"auth": ["hunter2"]}}}', "invalid", /at auths\.ghcr\.io\.auth/);
  await refused(
    '{"auths": {"ghcr.io": {"auth": "hunter2"}}}',
    "invalid",
    /"ghcr.io" .* no name and password/,
  );
  await refused('{"auths": {"ghcr.io": {"username": "u"}}}', "invalid", /has no name and password/);
  await refused('{"credsStore": "pass"}', "unsupported", /leaves ghcr\.io to the helper program "pass"/);
  await refused('{"credHelpers": {"ghcr.io": "ecr"}}', "unsupported", /"ecr", and the daemon starts none/);
  await refused(" ".repeat(2 << 20), "invalid", /larger than a megabyte/);
  const folderOfThatName = join(folder.path, "folder");
  mkdirSync(folderOfThatName, { mode: 0o700 });
  const pipe = join(folder.path, "pipe");
  execFileSync("mkfifo", ["--mode=600", pipe]);
  for (const path of [folderOfThatName, pipe]) {
    await assert.rejects(credentialsFor("ghcr.io/a", path), { kind: "invalid", message: /is not a file$/ });
  }
});
