/** Each agent of examples/ is deployed from its folder and executed, on one node with a real engine, as its README says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { startStandIn } from "../../examples/llm-stand-in/server.ts";
import { buildExamplesImage } from "../../tools/examples-image.ts";
import { ask } from "../cli/ask.ts";
import { until } from "../journeys/until.ts";
import { makeWorld } from "../journeys/world.ts";

const examples = new URL("../../examples/", import.meta.url).pathname;
const key = "sk-of-the-stand-in";

const standIn = await startStandIn({ key });
const { port } = standIn.address() as AddressInfo; // It listens on a port.
const provider = {
  ...{ name: "stand-in", api: "openai", url: `http://127.0.0.1:${port}/v1`, credential: "llm-key" },
  models: [{ alias: "small", model: "stand-in-1" }],
  embeddings: [{ alias: "words", model: "stand-in-2" }],
};
const world = await makeWorld({
  env: {
    ORCHESTRATOR_LLM_PROVIDERS: JSON.stringify([provider]),
    ORCHESTRATOR_CREDENTIALS_LENT_FOLDER: "/nonexistent/lent", // None of them is lent a file.
    ORCHESTRATOR_NETMON_SOCKET: "/nonexistent/netmon.sock",
    ORCHESTRATOR_LOG_LEVEL: "debug",
  },
});
after(async () => {
  await world[Symbol.asyncDispose]();
  standIn.close();
});
await buildExamplesImage(world.docker);
await world.startDaemon();

/** Runs `orchestrator ...` at the node's own door. What a task answered is in `out`, too. */
async function say(args: string[], piped = "") {
  let answered = "";
  const seen = await ask([...args, "--socket", world.localSocket], {
    folder: world.folder,
    terminal: {
      input: async () => Buffer.from(piped),
      bytes: (bytes) => {
        answered += Buffer.from(bytes).toString();
      },
    },
  });
  return { ...seen, out: seen.out + answered };
}

async function said(args: string[], piped?: string): Promise<string> {
  const { code, out, err } = await say(args, piped);
  assert.equal(code, 0, `${args.join(" ")}: ${err}\n${world.daemon.output().slice(-3_000)}`);
  return out;
}

async function deploy(name: string): Promise<void> {
  assert.match(await said(["agent", "deploy", "-f", join(examples, name)]), /version 1 is deployed/);
}

/** What an agent answers. */
const execute = (agent: string, input: string) =>
  said(["task", "execute", agent, "--input", input, "--wait"]);

test("echo answers what it is asked, byte by byte", async () => {
  await deploy("echo");
  assert.equal(await execute("echo", "hello\n\tworld \u{1f600}"), "hello\n\tworld \u{1f600}");
});

test("at log level debug, what an agent writes is in the daemon's log, with agent and task", async () => {
  const id = (await said(["task", "execute", "echo", "--input", "seen from outside"])).trim();
  const wrote = await until("it is logged", () =>
    world.daemon
      .output()
      .split("\n")
      .find((line) => line.includes("seen from outside")),
  );
  assert.match(wrote, new RegExp(`"level":"debug".*"agent":"echo".*"task":"${id}"`));
});

test("greeter remembers whom it greeted, in its own memory", async () => {
  await deploy("greeter");
  assert.equal(await execute("greeter", "Ada"), "Hello Ada! Nice to meet you.\n");
  assert.equal(await execute("greeter", "Ada"), "Hello Ada! We have met 1 times.\n");
  assert.match(
    await said(["memory", "search", "greeter"]),
    /agent greeter {2}name=Ada\n {4}I greeted Ada\.\n/,
  );
});

test("ticker is executed by its schedule, and tells the time on its topic", async () => {
  await deploy("ticker");
  await until("it ticked", async () =>
    (await said(["topic", "read", "clock.tick"])).includes("agent/ticker"),
  );
  await said(["agent", "remove", "ticker", "--cancel-tasks", "--yes"]);
});

test("an editor lets poets write at the same time, and puts together what they wrote", async () => {
  await deploy("crew");
  const verse = await execute("editor", "moon\nriver\n");
  assert.match(verse, /^Oh moon, so far away,\n.*\n\nOh river, so far away,\n/);
  assert.match(await said(["task", "list", "--agent", "poet"]), /poet.*\n.*poet/);
});

test("summary asks a model through the gateway, with a key that it never sees", async () => {
  await said(["credential", "set", "llm-key"], key);
  await deploy("summary");
  assert.equal(await execute("summary", "Once upon a time."), "You said: Once upon a time.\n");
  assert.match(await said(["llm", "usage"]), /summary +small/);
});

test("memories are found by meaning, with embeddings that the gateway's model makes", async () => {
  for (const text of ["the oven is hot", "the moon is full"]) {
    await said(["memory", "store", "plant", text, "--model", "words"]);
  }
  const near = ["--like", "how full is the moon", "--model", "words", "--limit", "1"];
  assert.match(await said(["memory", "search", "plant", ...near]), /^0\.\d+ {2}.*\n {4}the moon is full\n$/);
});

test("chat goes on with the conversation that it kept in a session", async () => {
  await deploy("chat");
  await execute("chat", "Good evening.");
  await execute("chat", "And good night.");
  const [id = "", ...others] = (await said(["session", "list", "--agent", "chat", "--quiet"]))
    .trim()
    .split("\n");
  assert.deepEqual(others, []);
  const kept = (await said(["session", "export", id])).trimEnd().split("\n").slice(1);
  assert.deepEqual(
    kept.map((line) => JSON.parse(line).message.content),
    ["Good evening.", "You said: Good evening.", "And good night.", "You said: And good night."],
  );
  assert.equal(await said(["session", "close", id]), `session ${id} is closed\n`);
});

test("what wants too much is refused at its deploy, and told all that is wrong with it", async () => {
  const { code, err } = await say(["agent", "deploy", "-f", join(examples, "refused")]);
  assert.equal(code, 6, err);
  for (const rule of ["mount.allowed", "mount.writable", "quota.memory"]) {
    assert.match(err, new RegExp(`agent\\.yaml:1[01]: spec\\.\\S+: "\\S+" is denied by rule ${rule}: `));
  }
  assert.match((await say(["agent", "get", "refused"])).err, /refused/);
});

test("examples/README.md has a line for each folder", () => {
  const page = readFileSync(join(examples, "README.md"), "utf8");
  const folders = [
    "chat",
    "clients",
    "crew",
    "echo",
    "greeter",
    "llm-stand-in",
    "refused",
    "summary",
    "ticker",
  ];
  for (const folder of folders) assert.ok(page.includes(`| [${folder}](${folder})`), folder);
});
