/** `npm start` and `npm run clean` as a person uses them, in a copy of this checkout and a network of its own. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";
import Docker from "dockerode";
import { type Folder, tempFolder } from "../fixtures/folder.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;

/** What of a checkout npm start needs. */
const parts = ["bin", "examples", "gen", "samples", "src", "tools", "package.json"];

/** A copy of this checkout, as after a clone. */
function copyOfCheckout(): Folder {
  const folder = tempFolder();
  for (const part of parts) cpSync(join(root, part), join(folder.path, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder.path, "node_modules"));
  return folder;
}

/** The same in a network namespace of its own; both are gone afterwards, whatever happened. */
async function freshCheckout(): Promise<
  AsyncDisposable & { folder: string; within: string[]; netns: string }
> {
  const folder = copyOfCheckout();
  const netns = `start-${process.pid}`;
  await run("ip", ["netns", "add", netns]);
  await run("ip", ["-n", netns, "link", "set", "lo", "up"]);
  const within = ["nsenter", `--net=/run/netns/${netns}`, process.execPath];
  return {
    ...{ folder: folder.path, within, netns },
    async [Symbol.asyncDispose]() {
      const [command = "", ...words] = within;
      await run(command, [...words, "tools/start.ts", "--clean"], { cwd: folder.path });
      await run("ip", ["netns", "delete", netns]);
      folder[Symbol.dispose]();
    },
  };
}

test("from nothing to a running soft PLC that outlives Ctrl-C, is taken up again, and is removed without a trace", async (t) => {
  await using checkout = await freshCheckout();
  const [command = "", ...words] = checkout.within;
  const say = async (...args: string[]) => await run(command, [...words, ...args], { cwd: checkout.folder });
  const docker = new Docker({ socketPath: join(checkout.folder, ".orchestrator/engine/docker.sock") });
  const container = async () => {
    const [only, ...more] = await docker.listContainers();
    assert.ok(only);
    assert.deepEqual(more, []);
    return await docker.getContainer(only.Id).inspect();
  };

  await t.test("npm start tells where everything is and what to try, and that works", async () => {
    const start = spawn(command, [...words, "tools/start.ts", "--own-engine"], { cwd: checkout.folder });
    const complaint: string[] = [];
    start.stderr.on("data", (text: Buffer) => complaint.push(text.toString()));
    const lines: string[] = [];
    for await (const line of createInterface(start.stdout)) {
      lines.push(line);
      if (line.startsWith("Ctrl-C stops")) break;
    }
    const told = lines.join("\n") + complaint.join("");
    const tries = lines.filter((line) => line.startsWith("  npx orchestrator "));
    assert.equal(tries.length, 4, told);
    for (const line of tries) {
      const args = [...line.matchAll(/"([^"]+)"|(\S+)/g)]
        .map(([, quoted, plain]) => quoted ?? plain ?? "")
        .slice(2);
      if (args[0] === "events") args.push("--no-follow");
      const { stdout } = await say("bin/orchestrator.js", ...args);
      assert.match(stdout, args[0] === "task" ? /^hello again$/ : /openplc-sample/);
    }
    // What SQLite loads is a file beside the built program.
    await say("bin/orchestrator.js", "memory", "store", "echo", "hello", "--embedding", "1,0");
    const { stdout: found } = await say(
      "bin/orchestrator.js",
      "memory",
      "search",
      "echo",
      "--embedding",
      "2,0",
    );
    assert.match(found, /^1\.000 .*\n {4}hello$/m);
    const address = /curl -k (https:\S+)\)/.exec(told)?.[1] ?? "";
    const [enter = "", net = ""] = checkout.within;
    assert.match((await run(enter, [net, "curl", "-sk", address])).stdout, /sample/);
    start.kill("SIGINT");
    assert.deepEqual(await once(start, "exit"), [0, null]);
  });
  const { Id: id, State: before } = await container();
  assert.equal(before.Running, true, "the workload goes on");

  await t.test("npm start again takes it up as it is", async () => {
    const { stdout } = await say("tools/start.ts", "--once");
    assert.match(stdout, /runtime openplc-sample was there already, just like this/);
    assert.match(stdout, /openplc-sample +running/);
    const { Id: sameId, State: after } = await container();
    assert.deepEqual([sameId, after.StartedAt], [id, before.StartedAt]);
  });

  await t.test("npm run clean leaves nothing", async () => {
    await say("tools/start.ts", "--clean");
    assert.deepEqual(readdirSync(checkout.folder).sort(), [...parts, "node_modules"].sort());
    assert.doesNotMatch((await run("cat", ["/proc/self/mountinfo"])).stdout, new RegExp(checkout.folder));
    assert.doesNotMatch(
      (await run("ps", ["-eo", "args"])).stdout,
      new RegExp(`${checkout.folder}/(dist|\\.)`),
    );
    const links = (await run("ip", ["-n", checkout.netns, "-brief", "link"])).stdout.trim().split("\n");
    assert.equal(links.length, 1, "only the loopback is left");
  });
});

test("where npm start cannot go on, it says why and what to do", async (t) => {
  const cases: [string[], Record<string, string>, string][] = [
    [["--onze"], {}, "npm start: Unknown option '--onze'"],
    [
      ["--once"],
      { DOCKER_HOST: "unix:///nowhere/docker.sock" },
      "npm start: no engine answers at unix:///nowhere/docker.sock, which DOCKER_HOST names (ENOENT): start it, or unset DOCKER_HOST",
    ],
  ];
  using folder = copyOfCheckout();
  for (const [args, env, sentence] of cases) {
    await t.test(sentence, async () => {
      const options = { cwd: folder.path, env: { ...process.env, ...env } };
      await assert.rejects(
        run(process.execPath, ["tools/start.ts", ...args], options),
        (thrown: Error & { stderr?: string }) => {
          assert.equal(thrown.stderr?.trim(), sentence);
          return true;
        },
      );
    });
  }
});
