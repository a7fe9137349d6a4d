/** A bundle is made where secrets were planted in every place that it reads, and none of them is in it. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { ConnectRouter } from "@connectrpc/connect";
import { Agents } from "../../gen/edge/v1/agents_pb.ts";
import { Events } from "../../gen/edge/v1/events_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { Tasks } from "../../gen/edge/v1/tasks_pb.ts";
import { redact, redactText } from "../../src/cli/support-redact.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { until } from "../journeys/until.ts";
import { ask } from "./ask.ts";
import { standInDaemon, standInHub } from "./stand-in.ts";

interface Manifest {
  entries: { name: string; bytes: number; missing: string }[];
}

/** Never seen outside, whatever stands around it. */
const secret = "hunter2-Zq9";
const random = "q7Rk2LmX9vTb4NcYw8HsJd3FgPzE6uAa1oKi5xCVBnM";

test("secrets are known by their names and by their shapes, and what is no secret stays", () => {
  const values = [
    { password: secret, dbPassword: secret, clientSecret: secret, api_key: secret, keyPem: secret },
    { key: "mqtt-password", value: secret },
    { name: "TOKEN", value: secret },
    { env: [{ name: "MODE", value: secret }] },
    { env: { MODE: secret } },
    { Env: [`MODE=${secret}`] },
    ["--password", secret],
    [`--db-password=${secret}`],
    { nested: [{ deep: { authorization: `Bearer ${secret}` } }] },
  ];
  for (const value of values) assert.doesNotMatch(JSON.stringify(redact(value)), /hunter2/);
  const texts = [
    `password=${secret}`,
    `DB_PASSWORD_2 = '${secret} and more'`,
    `{"token":"${secret}"}`,
    JSON.stringify({ said: `{"password":"${secret}"}` }),
    `login --token ${secret}`,
    `https://me:${secret}@registry.example.com/v2/`,
    `Authorization: Basic ${secret}`,
    `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
    `-----BEGIN PRIVATE KEY-----\n${secret}`,
    `edge1_${secret}${secret}`,
    `op_abcdefg2_${secret}${secret}`,
    `eyJhbGciOi.${secret}.sig`,
    `ghp_${secret}${secret}`,
  ];
  for (const text of texts) assert.doesNotMatch(redactText(text), /hunter2/, text);
  assert.equal(redactText(`the key ${random} was`), "the key [redacted] was");
  const plain = [
    "sha256:bdfc64912192f2308d0bcc23b01b6693d0b171fc3a4155d0def747771cc7cae6",
    "cmd-5647dafe-188f-41c6-ae0d-43837eb47449",
    "/opt/orchestrator/Rootfs2/usr/lib/x86_64-linux-gnu/libc.so.6",
    "runtime press-1 started at 2026-11-21T11:37:42Z: a restart was asked for",
  ];
  for (const text of plain) assert.equal(redactText(text), text);
  assert.deepEqual(redact({ name: "MODE", value: "test", memoryBytes: "512" }), {
    ...{ name: "MODE", value: "test", memoryBytes: "512" },
  });
});

test("a long line costs no more than its length", () => {
  assert.equal(redactText("a".repeat(2 << 20)).length, 2 << 20);
});

const routes = (router: ConnectRouter): void => {
  router.service(Node, {
    getNode: () => ({ daemonVersion: "0.1.0", engine: { problem: `password=${secret}` } }),
  });
  router.service(Runtimes, {
    listRuntimes: () => ({
      runtimes: [
        {
          spec: {
            ...{ name: "press-1", image: "plc:1", command: ["run", "--token", secret] },
            env: [{ name: "MODE", value: secret }],
            labels: [{ key: "db.password", value: secret }],
          },
          reason: `could not pull https://me:${secret}@registry.example.com/plc`,
        },
      ],
    }),
  });
  router.service(Agents, {
    listAgents: () => ({
      agents: [
        {
          name: "poet",
          current: {
            spec: {
              ...{ name: "poet", script: `login ${secret}`, env: [{ name: "MODE", value: secret }] },
              schedule: { cron: "@daily", input: Buffer.from(secret) },
            },
          },
        },
      ],
    }),
  });
  router.service(Tasks, {
    listTasks: () => ({ tasks: [{ id: "cmd-1", agent: "poet", reason: `token=${secret}` }] }),
  });
  router.service(Events, {
    listEvents: () => ({ events: [{ event: { reason: `secret: ${secret}` } }], lastSequence: 77n }),
  });
  router.service(NetMon, {
    getNetwork: () => ({ version: "0.1.0", picture: { interfaces: [{ name: `psk=${secret}` }] } }),
    async *watchAttachments() {
      yield { attachments: [{ owner: "i/press-1", containerId: `token=${secret}` }] };
    },
  });
};

test("a bundle has what helps, says what is missing, and holds no secret of any place that it reads", async () => {
  using folder = tempFolder();
  const at = (name: string) => join(folder.path, name);
  for (const name of ["hub", "bin", "out"]) mkdirSync(at(name));
  await using hub = await standInHub(at("hub"), (router) => {
    router.service(Fleet, { listNodes: () => ({ nodes: [{ id: "n-1", hostName: "vm" }] }) });
  });
  await using _programs = await standInDaemon(at("d.sock"), routes);
  const engine = createServer((_, response) => {
    response.end(
      JSON.stringify({ Version: "27.1", HttpProxy: `http://me:${secret}@proxy:3128`, Env: [`A=${secret}`] }),
    );
  });
  await new Promise<void>((resolve) => engine.listen(at("engine.sock"), resolve));
  writeFileSync(at("bin/journalctl"), `#!/bin/sh\necho "key ${random}, token=${secret}, all is well"\n`);
  chmodSync(at("bin/journalctl"), 0o755);
  writeFileSync(
    at("config.yaml"),
    `hub: { url: "https://127.0.0.1:${hub.port}", token_file: ${at("hub/admin.token")} }\n`,
  );
  const started = spawn("sh", ["-c", "cat", "netmon", "start"], {
    env: { ...process.env, ORCHESTRATOR_TOKEN: secret },
    stdio: ["pipe", "ignore", "ignore"],
  });
  try {
    const flags = ["--config", at("config.yaml"), "--ca-file", hub.caFile, "--netmon-socket", at("d.sock")];
    const env = {
      ...{ PATH: `${at("bin")}:${process.env.PATH}`, ORCHESTRATOR_DAEMON_SOCKET: at("d.sock") },
      ORCHESTRATOR_DOCKER_HOST: `unix://${at("engine.sock")}`,
    };
    // A part that was not answered in time is left out, which on a busy machine may be much.
    const whole = await until("every part is there", async () => {
      rmSync(at("bundle.tar.gz"), { force: true });
      const seen = await ask(["support-bundle", "-o", at("bundle.tar.gz"), ...flags], {
        ...{ folder: folder.path, env },
      });
      assert.deepEqual([seen.code, seen.err], [0, ""], seen.out);
      assert.match(seen.out, /Look at it before you send it/);
      assert.equal(statSync(at("bundle.tar.gz")).mode & 0o777, 0o600);
      execFileSync("tar", ["-xzf", at("bundle.tar.gz"), "-C", at("out")]);
      const names = readdirSync(at("out"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      const whole = names.map((name) => readFileSync(name, "utf8")).join("\n");
      const { entries } = JSON.parse(readFileSync(at("out/manifest.json"), "utf8")) as Manifest;
      const missing = entries.filter((entry) => entry.missing !== "");
      assert.deepEqual(missing, []);
      assert.equal(names.length, entries.length + 1);
      return whole;
    });
    const given = Buffer.from(secret).toString("base64");
    for (const planted of ["hunter2", given, random, hub.token]) assert.ok(!whole.includes(planted), planted);
    for (const kept of [
      "press-1",
      "plc:1",
      "all is well",
      "27.1",
      "kernel veth",
      "i/press-1",
      "cmd-1",
      "@daily",
    ]) {
      assert.ok(whole.includes(kept), kept);
    }
    // A file that is there is never written over.
    const again = await ask(["support-bundle", "--offline", "-o", at("bundle.tar.gz"), ...flags], {
      folder: folder.path,
    });
    assert.match(again.err, /is there already: name another with -o/);
  } finally {
    started.kill();
    engine.close();
  }
});
