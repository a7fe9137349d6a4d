/** A secret's way through a whole hub and node, and all places where it must not be. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { startStandIn } from "../../examples/llm-stand-in/server.ts";
import { Agents } from "../../gen/edge/v1/agents_pb.ts";
import { Credentials } from "../../gen/edge/v1/credentials_pb.ts";
import { TaskState, Tasks } from "../../gen/edge/v1/tasks_pb.ts";
import { busyboxImage } from "../fixtures/images.ts";
import { runOnce } from "./program.ts";
import { until } from "./until.ts";
import { startWorld } from "./world.ts";

const values = {
  first: "sk-first-Zq81-of-the-journey",
  second: "sk-second-Yp92-of-the-journey",
  model: "sk-model-Xr73-of-the-journey",
};

/** Says what it is lent, as a hash, until that is another value; then it waits to be asked no more. */
const script = `
first=$(sha256sum < /run/orchestrator/secrets/token)
echo "$first"
while [ "$(sha256sum < /run/orchestrator/secrets/token)" = "$first" ]; do sleep 0.1; done
sha256sum < /run/orchestrator/secrets/token
touch /run/orchestrator/secrets/mine 2>&1 || true
env
while [ ! -e /tmp/end ] && [ -e /run/orchestrator/secrets/token ]; do sleep 0.1; done
echo taken away`;

test("a secret reaches the one program that is lent it, and nothing else ever holds it", async () => {
  const lentFolder = mkdtempSync("/dev/shm/orchestrator-test-");
  const model = await startStandIn({ key: values.model });
  const address = model.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  const providers = [
    { name: "stand-in", api: "ollama", url, credential: "model", models: [{ alias: "small", model: "m" }] },
  ];
  await using world = await startWorld({
    env: {
      ORCHESTRATOR_CREDENTIALS_LENT_FOLDER: lentFolder,
      ORCHESTRATOR_LLM_PROVIDERS: JSON.stringify(providers),
      ORCHESTRATOR_LOG_LEVEL: "debug",
    },
  });
  try {
    const image = await busyboxImage(world.engine);
    const set = async (name: string, value: string) => {
      const ran = await runOnce(["credential", "set", name], { env: world.env, stdin: `${value}\n` });
      assert.equal(ran.code, 0, ran.stderr);
    };
    await set("key", values.first);
    await set("model", values.model);

    const agents = world.remote(Agents);
    const tasks = world.remote(Tasks);
    const spec = {
      ...{ name: "poet", image, script, command: ["/bin/sh"] },
      credentials: [
        { name: "key", file: "token" },
        { name: "model", upstream: { url } },
      ],
      llm: { aliases: ["small"] },
    };
    await agents.deployAgent({ spec });
    const { task } = await tasks.executeTask({ agent: "poet" });
    const id = task?.id ?? "";
    const logs = async () => {
      const { lines } = await tasks.getTaskLogs({ id });
      return lines.map((line) => Buffer.from(line.text).toString()).join("\n");
    };
    await until("the program sees its secret", async () => (await logs()).includes(hashOf(values.first)));
    await set("key", values.second);
    await until("it sees the new value", async () => (await logs()).includes(hashOf(values.second)));

    const cells = join(world.env.ORCHESTRATOR_DAEMON_DATA_DIR ?? "", "cells");
    const [cell = ""] = readdirSync(cells);
    const answer = await overSocket(join(cells, cell, "broker.sock"), "/llm/v1/chat/completions", {
      model: "small",
      messages: [{ role: "user", content: "roses" }],
    });
    assert.match(answer, /You said: roses/);

    const containers = await world.docker.listContainers({ filters: { label: ["edge.agent=poet"] } });
    assert.ok(containers.length > 0);
    const inspected = await Promise.all(containers.map(({ Id }) => world.docker.getContainer(Id).inspect()));
    const exported = containers.map(({ Id }) =>
      execFileSync("docker", ["--host", `unix://${world.engine.socketPath}`, "export", Id], {
        maxBuffer: 64 << 20,
      }),
    );
    const ofProcess = inspected.flatMap(({ State: { Pid } }) =>
      ["environ", "cmdline"].map((file) => readFileSync(`/proc/${Pid}/${file}`)),
    );

    await world.remote(Credentials).removeCredential({ name: "key", force: true });
    await until(
      "the program is ended",
      async () => (await tasks.getTask({ id })).task?.state === TaskState.SUCCEEDED,
    );
    const whole = await until("its log is whole", async () => {
      const all = await logs();
      return all.includes("taken away") && all;
    });
    assert.match(whole, /Read-only file system/);
    await until(
      "nothing is left of the loan",
      () => readdirSync(lentFolder, { recursive: true }).length <= 1,
    );

    const { credentials } = await world.remote(Credentials).listCredentials({});
    assert.deepEqual(
      credentials.map(({ name, uses, agents: of }) => [name, uses > 0n, of]),
      [["model", true, ["poet"]]],
    );
    const audit = await world.cli("audit", "list", "--json");
    assert.match(audit.stdout, /credential\/key/);
    const told = {
      inspected: JSON.stringify(inspected),
      exported: Buffer.concat(exported).toString("latin1"),
      process: Buffer.concat(ofProcess).toString("latin1"),
      logs: world.hub.output() + world.daemon.output(),
      audit: audit.stdout,
      commands: (await world.cli("command", "list", "--json")).stdout,
      events: (await world.cli("events", "watch", "--no-follow", "--json")).stdout,
      tasks: whole,
    };
    for (const [where, all] of Object.entries(told))
      for (const value of Object.values(values)) assertAbsent(all, value, where);
    // Everything on disk: state of hub and daemon, write-ahead logs, the engine's images, layers and its own logs.
    const folders = [world.folder, world.engine.dir];
    assert.deepEqual(filesWith(Object.values(values).flatMap(formsOf), folders), []);
    assert.notDeepEqual(
      filesWith(["roses are never on a disk", "/run/orchestrator/secrets/token"], folders),
      [],
    );
  } finally {
    model.closeAllConnections();
    model.close();
    rmSync(lentFolder, { recursive: true, force: true });
  }
});

function hashOf(value: string): string {
  return createHash("sha256").update(value).digest("hex");
}

/** A value, and what it looks like in base64 at each of its three places. */
function formsOf(value: string): string[] {
  const inBase64 = [0, 1, 2].map((shift) =>
    Buffer.from("x".repeat(shift) + value)
      .toString("base64")
      .slice(shift + 1, -4),
  );
  return [value, encodeURIComponent(value), Buffer.from(value).toString("hex"), ...inBase64];
}

function assertAbsent(all: string, value: string, where: string): void {
  for (const form of formsOf(value)) assert.ok(!all.includes(form), `${where} holds a secret`);
}

/** Files that hold one of these texts, whatever else they are. */
function filesWith(texts: readonly string[], folders: readonly string[]): string[] {
  const args = ["-rlaF", "--devices=skip", ...texts.flatMap((one) => ["-e", one]), ...folders];
  const { stdout } = spawnSync("grep", args, { env: { LC_ALL: "C" } });
  return stdout
    .toString()
    .split("\n")
    .filter((one) => one !== "");
}

async function overSocket(socketPath: string, path: string, body: object): Promise<string> {
  const asking = request({
    socketPath,
    path,
    method: "POST",
    headers: { host: "gateway", "content-type": "application/json" },
  });
  asking.end(JSON.stringify(body));
  return await new Promise((resolve, reject) => {
    asking.on("error", reject);
    asking.on("response", (answer) => void text(answer).then(resolve, reject));
  });
}
