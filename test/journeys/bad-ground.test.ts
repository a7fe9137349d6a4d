/** Programs on ground that is not as it should be: each says one sentence, and nothing that was there is lost. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { failureTable } from "../../src/wire/failures.ts";
import { smallDisk, tempFolder } from "../fixtures/folder.ts";
import { type ProgramOptions, program, runOnce } from "./program.ts";
import { until } from "./until.ts";
import { serviceAt } from "./world.ts";

const noEngine = "unix:///nonexistent/docker.sock";

/** A daemon on its own, without a hub and without an engine. */
function daemonAt(dataDir: string, env: Record<string, string> = {}): ProgramOptions {
  return { env: { ORCHESTRATOR_DAEMON_DATA_DIR: dataDir, ORCHESTRATOR_DOCKER_HOST: noEngine, ...env } };
}

function hubAt(dataDir: string, env: Record<string, string> = {}): ProgramOptions {
  const ports = { ORCHESTRATOR_HUB_API_PORT: "0", ORCHESTRATOR_HUB_LINE_PORT: "0" };
  return { env: { ORCHESTRATOR_HUB_DATA_DIR: dataDir, ...ports, ...env } };
}

/** Runs a program that must refuse to start; the one line that it says. */
async function refusal(
  args: string[],
  options: ProgramOptions,
  kind: keyof typeof failureTable,
): Promise<string> {
  const { code, stderr } = await runOnce(args, options);
  const sentences = stderr
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("{"));
  assert.equal(code, failureTable[kind].exit, stderr);
  assert.equal(sentences.length, 1, stderr);
  return sentences[0] ?? "";
}

async function answers(dataDir: string): Promise<void> {
  const node = serviceAt(join(dataDir, "daemon.sock"), Node);
  await until("the daemon answers on its socket", async () => (await node.getNode({})).daemonVersion !== "");
}

describe("a daemon", () => {
  it("whose state file is full of random bytes sets it aside, says so, and runs", async () => {
    using folder = tempFolder();
    const rubbish = randomBytes(20_000);
    writeFileSync(join(folder.path, "daemon.db"), rubbish);
    await using daemon = program(["daemon", "start"], daemonAt(folder.path));
    daemon.start();
    await answers(folder.path);
    const aside = readdirSync(folder.path).filter((name) => name.startsWith("daemon.db.unreadable-"));
    assert.equal(aside.length, 1);
    assert.deepEqual(readFileSync(join(folder.path, aside[0] ?? "")), rubbish);
    await until("it says so", () =>
      /the state file could not be read and was set aside/.test(daemon.output()),
    );
  });

  it("whose identity is full of random bytes runs, leaves the file as it is, and says what to do", async () => {
    using folder = tempFolder();
    const rubbish = randomBytes(2_000);
    writeFileSync(join(folder.path, "identity.json"), rubbish);
    await using daemon = program(["daemon", "start"], daemonAt(folder.path));
    daemon.start();
    await answers(folder.path);
    const sentence =
      /identity\.json does not hold an identity that can be used: put it back from a backup, or enrol anew/;
    await until("the daemon says what is wrong", () => sentence.test(daemon.output()));
    assert.deepEqual(readFileSync(join(folder.path, "identity.json")), rubbish);
    const enrolled = await runOnce(["daemon", "enroll", "--token", "edge1_x"], daemonAt(folder.path));
    assert.equal(enrolled.code, failureTable.invalid.exit);
    assert.match(enrolled.stderr, /does not hold an identity that can be used/);
  });

  it("whose settings file is full of random bytes does not start", async () => {
    using folder = tempFolder();
    const config = join(folder.path, "config.yaml");
    writeFileSync(config, randomBytes(500));
    const said = await refusal(["daemon", "start", "--config", config], daemonAt(folder.path), "invalid");
    assert.match(said, /config\.yaml/);
    assert.equal(existsSync(join(folder.path, "daemon.db")), false);
  });

  it("on a data directory that another one holds does not start, and the other goes on", async () => {
    using folder = tempFolder();
    await using first = program(["daemon", "start"], daemonAt(folder.path));
    first.start();
    await answers(folder.path);
    assert.equal(
      await refusal(["daemon", "start"], daemonAt(folder.path), "conflict"),
      `orchestrator daemon start: ${folder.path}/daemon.db is in use by another running program: stop that one, or choose another data directory`,
    );
    await answers(folder.path);
  });

  it("on a disk that is read-only or full says which, and runs when that is mended", async () => {
    using disk = smallDisk(8 << 20);
    const dataDir = join(disk.path, "daemon");
    mkdirSync(dataDir);
    disk.setReadOnly(true);
    assert.equal(
      await refusal(["daemon", "start"], daemonAt(dataDir), "unavailable"),
      `orchestrator daemon start: ${dataDir}/daemon.db cannot be written: check the folder's owner, its mode, and whether the file system is read-only`,
    );
    disk.setReadOnly(false);
    const filler = join(disk.path, "filler");
    fill(filler);
    assert.equal(
      await refusal(["daemon", "start"], daemonAt(dataDir), "exhausted"),
      `orchestrator daemon start: no space left for ${dataDir}/daemon.db: free some on its file system`,
    );
    writeFileSync(filler, "");
    await using daemon = program(["daemon", "start"], daemonAt(dataDir));
    daemon.start();
    await answers(dataDir);
  });
});

describe("a hub", () => {
  it("on a data directory that another one holds does not start", async () => {
    using folder = tempFolder();
    await using first = program(["hub", "start"], hubAt(folder.path));
    first.start();
    await until("the hub made its token", () => existsSync(join(folder.path, "admin.token")));
    assert.equal(
      await refusal(["hub", "start"], hubAt(folder.path), "conflict"),
      `orchestrator hub start: ${folder.path}/hub.db is in use by another running program: stop that one, or choose another data directory`,
    );
  });

  it("on a read-only disk says so", async () => {
    using disk = smallDisk(8 << 20);
    const dataDir = join(disk.path, "hub");
    mkdirSync(dataDir);
    disk.setReadOnly(true);
    assert.match(await refusal(["hub", "start"], hubAt(dataDir), "unavailable"), /hub\.db|cannot be written/);
    assert.equal(statSync(dataDir).isDirectory(), true);
  });
});

function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(64 << 20));
  } catch {
    // ENOSPC: what was asked for.
  }
}
