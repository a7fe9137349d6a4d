/** A cloud written in Python from proto/ alone enrols a node, sends commands, and gets their results (docs/protocol.md). */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";
import { record } from "./foreign-cloud/record.ts";
import { makeWorld } from "./world.ts";

const run = promisify(execFile);
const script = new URL("foreign-cloud/cloud.py", import.meta.url).pathname;
const root = new URL("../..", import.meta.url).pathname;

interface ResultJson {
  command_id: string;
  create_runtime?: { created: boolean; runtime: { phase: string } };
  delete_runtime?: { removed: string[] };
}

interface Line {
  what: string;
  token?: string;
  direction?: "up" | "down";
  frame?: Record<string, unknown> & { report?: { result?: ResultJson } };
  names?: string[];
  ok?: boolean;
}

/** Debian's Python, whose packages are the ones that are installed, and not another in front of it. */
const python = "/usr/bin/python3";

async function generateStubs(folder: string): Promise<string> {
  const stubs = join(folder, "stubs");
  const plugins = [
    { protoc_builtin: "python", out: stubs },
    { local: "grpc_python_plugin", out: stubs },
  ];
  const template = JSON.stringify({ version: "v2", plugins, inputs: [{ directory: "proto" }] });
  await run("buf", ["generate", "--template", template], { cwd: root });
  return stubs;
}

test("a cloud in Python, made from proto alone, runs a runtime on our node", async () => {
  await using world = await makeWorld();
  const stubs = await generateStubs(world.folder);
  const folder = join(world.folder, "cloud");
  mkdirSync(folder);
  const cloud = spawn(python, [script, stubs, folder, world.image], { stdio: ["ignore", "pipe", "pipe"] });
  let complaint = "";
  cloud.stderr.on("data", (text: Buffer) => {
    complaint += text.toString();
  });
  const lines: Line[] = [];
  try {
    for await (const text of createInterface({ input: cloud.stdout })) {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      if (line.token === undefined) continue;
      const enrolled = await world.cli("daemon", "enroll", "--token", line.token);
      assert.equal(enrolled.code, 0, enrolled.stderr);
      world.daemon.start();
    }
  } finally {
    cloud.kill();
  }
  const frames = lines.flatMap((line) => (line.frame ? [line.frame] : []));
  const results = frames.flatMap((frame) => frame.report?.result ?? []);
  const told = `${complaint}\n${JSON.stringify(frames, null, 1)}\n${world.daemon.output()}`;
  assert.ok(lines.find((line) => line.what === "done")?.ok, told);
  assert.deepEqual(
    results.map((one) => one.command_id),
    ["py-1", "py-2"],
    told,
  );
  assert.equal(results[0]?.create_runtime?.created, true);
  assert.equal(results[0]?.create_runtime?.runtime.phase, "RUNTIME_PHASE_RUNNING");
  assert.equal(results[1]?.delete_runtime?.removed.length, 3);
  assert.deepEqual(lines.find((line) => line.what === "connected")?.names, [
    "spiffe://python.test/node/press-7",
  ]);
  // RECORD=1 node --test test/journeys/foreign-cloud.test.ts
  if (process.env.RECORD === "1")
    record(lines.flatMap(({ direction, frame }) => (direction && frame ? { direction, frame } : [])));
  assert.deepEqual(await world.objects("from-python"), { containers: [], networks: [], volumes: [] });
});
