import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { failure } from "../../src/base/failure.ts";
import { toFailureMessage } from "../../src/wire/failures.ts";
import { ask } from "./ask.ts";
import { create1, created, ended, world } from "./one-hub.ts";
import { standInDaemon, standInHub } from "./stand-in.ts";

test("lists are tables for people, names for --quiet, protobuf's JSON for programs", async (t) => {
  const { hub, served, say } = await world(t);
  const table = await say(["runtime", "list"]);
  assert.equal(
    table.out,
    [
      "NAME     PHASE    UP      RESTARTS  VNICS  PORTS                  IMAGE                            REASON\n",
      "plc1     running  1h 30m         2  -      127.0.0.1:18443->8443  orchestrator/openplc-sample:4.0  -\n",
      "plc-two  failed   -              0  -      127.0.0.1:18443->8443  orchestrator/openplc-sample:4.0  its image is gone\n",
    ].join(""),
  );
  assert.equal((await say(["runtime", "list", "--quiet"])).out, "plc1\nplc-two\n");
  const json = JSON.parse((await say(["runtime", "list", "--json"])).out) as {
    runtimes: { phase: string }[];
  };
  assert.deepEqual(
    json.runtimes.map((one) => one.phase),
    ["RUNTIME_PHASE_RUNNING", "RUNTIME_PHASE_FAILED"],
  );
  assert.equal(hub.headers[0]?.get("edge-node"), "node-7f3a");
  assert.equal(hub.headers[0]?.get("authorization"), `Bearer ${served.token}`);
});

test("a failure's sentence is told and its kind is the exit code", async (t) => {
  const { hub, say } = await world(t);
  const gone = await say(["runtime", "get", "plc9"]);
  assert.deepEqual([gone.code, gone.err], [4, "error: there is no runtime plc9 on this node\n"]);
  for (const [kind, code] of [
    ["conflict", 5],
    ["denied", 6],
    ["exhausted", 10],
    ["internal", 1],
  ] as const) {
    hub.outcome = ended({
      outcome: { case: "failure", value: toFailureMessage(failure(kind, `this is ${kind}`)) },
    });
    const seen = await say(create1);
    assert.equal(seen.code, code);
    assert.match(seen.err, new RegExp(`^pulling image\\nerror: this is ${kind}\\n`));
  }
});

test("a pull is a bar on a terminal, a plain line in a log, and nothing for a program", async (t) => {
  const { hub, say } = await world(t);
  hub.outcome = created;
  const log = await say(create1);
  assert.equal(log.err, "pulling image\n");
  assert.match(log.out, /^runtime plc1 runs\nname +plc1\nphase +running\n/);
  const drawn = await say(create1, { terminal: { animated: true } });
  assert.ok(
    drawn.err.includes(
      "\r\x1b[2Kpulling image  [############------------] 50%  512 MiB of 1.00 GiB  1 of 3 layers were there",
    ),
    JSON.stringify(drawn.err),
  );
  assert.ok(drawn.err.endsWith("\r\x1b[2K"), "the line is cleared before the result");
  assert.equal((await say([...create1, "--json"])).err, "");
});

test("sizes mean exactly what they say", async (t) => {
  const { hub, say } = await world(t);
  hub.outcome = created;
  const sizes = { "2G": 2_000_000_000n, "512MB": 512_000_000n, "512Mi": 536_870_912n, "7000000": 7_000_000n };
  for (const [text, bytes] of Object.entries(sizes)) {
    await say([...create1, "--memory", text]);
    const { request } = hub.submitted.at(-1) ?? {};
    assert.equal(request?.case === "createRuntime" && request.value.spec?.resources?.memoryBytes, bytes);
  }
});

test("--no-wait leaves the command in the queue and prints its id", async (t) => {
  const { hub, say } = await world(t);
  const { code, out } = await say([...create1, "--no-wait"]);
  assert.equal(code, 0);
  assert.equal(out, `${hub.submitted[0]?.id}\n`);
});

test("a hub that goes while a command is waited for is waited for too", async (t) => {
  const { hub, served, say, folder } = await world(t);
  const watched = Promise.withResolvers<void>();
  hub.onWatch = watched.resolve;
  const seen = say(create1);
  await watched.promise;
  await served.cut();
  hub.outcome = created;
  await using _again = await standInHub(folder, hub.routes, served.port);
  const { code, err, out } = await seen;
  assert.equal(code, 0, err);
  assert.match(err, /the hub is gone, waiting for it \.\.\./);
  assert.match(out, /^runtime plc1 runs\n/);
});

test("a hub that goes before it said that it has a command is given the same one again", async (t) => {
  const { hub, served, say, folder } = await world(t);
  const submitted = Promise.withResolvers<void>();
  hub.onSubmit = async () => {
    submitted.resolve();
    await new Promise(() => {}); // Its answer never comes.
  };
  const seen = say(create1);
  await submitted.promise;
  await served.cut();
  hub.onSubmit = async () => {};
  hub.outcome = created;
  await using _again = await standInHub(folder, hub.routes, served.port);
  const { code, err } = await seen;
  assert.equal(code, 0, err);
  assert.match(err, /the hub is gone, waiting for it \.\.\./);
  assert.equal(hub.submitted.length, 2);
  assert.equal(hub.submitted[0]?.id, hub.submitted[1]?.id);
});

test("Ctrl-C and --timeout end the waiting, not the command, and say how to go on", async (t) => {
  const { hub, say } = await world(t);
  hub.onWatch = () => {};
  const late = await say([...create1, "--timeout", "2s"]);
  const id = hub.submitted[0]?.id;
  assert.equal(late.code, 8);
  assert.match(
    late.err,
    new RegExp(
      `error: no result within the time of --timeout; the command goes on: follow it with \`orchestrator command watch ${id}\``,
    ),
  );
  const stop = new AbortController();
  hub.onWatch = () => stop.abort();
  const stopped = await say(create1, { signal: stop.signal });
  assert.equal(stopped.code, 130);
  assert.match(stopped.err, /error: not waiting any longer; the command goes on: follow it with/);
});

test("events are one line each, and what a node said cannot steer a terminal", async (t) => {
  const { say } = await world(t);
  const { out } = await say(["events", "watch", "--no-follow"]);
  assert.equal(
    out,
    "1970-01-01 00:00:00Z  node-7f3a  runtime plc1 exited with exit code 137, out of memory (cmd-1)\n",
  );
});

test("what cannot be undone is asked, and where nobody can be asked it needs --yes", async (t) => {
  const { hub, say } = await world(t);
  const remove = ["runtime", "delete", "plc1"];
  const nobody = await say(remove);
  assert.equal(nobody.code, 3);
  assert.match(nobody.err, /Nobody is here to ask: say --yes/);
  const no = await say(remove, { terminal: { asks: true, confirm: async () => false } });
  assert.deepEqual([no.code, no.err], [9, "error: not confirmed: nothing was done\n"]);
  assert.deepEqual(hub.submitted, []);
});

test("a hub whose certificate another CA signed gets no token", async (t) => {
  const { hub, served, say, folder } = await world(t);
  const other = mkdtempSync(join(folder, "other-"));
  await using stranger = await standInHub(other, hub.routes);
  writeFileSync(join(folder, "t"), "secret\n");
  const { code, err } = await say(["runtime", "list"]);
  assert.equal(code, 0, err);
  const seen = await ask(
    [
      "runtime",
      "list",
      "--hub",
      `https://127.0.0.1:${stranger.port}`,
      "--token-file",
      "t",
      "--ca-file",
      served.caFile,
    ],
    { folder },
  );
  assert.equal(seen.code, 6);
  assert.equal(
    seen.err.split("\n")[0],
    `error: the certificate of https://127.0.0.1:${stranger.port} is not signed by ${served.caFile}`,
  );
  assert.equal(hub.headers.length, 1, "the stranger was asked nothing");
});

test("--local speaks to the daemon's socket, and says what only a hub can do", async (t) => {
  const { hub, folder } = await world(t);
  await using _daemon = await standInDaemon(join(folder, "daemon.sock"), hub.routes);
  const socket = ["--socket", "daemon.sock"];
  assert.equal((await ask(["runtime", "list", "-q", ...socket], { folder })).out, "plc1\nplc-two\n");
  assert.equal(hub.headers[0]?.get("edge-node"), null);
  const away = await ask([...create1, "--no-wait", ...socket], { folder });
  assert.deepEqual(
    [away.code, away.err],
    [11, "error: --no-wait needs the hub's queue: leave out --local or --no-wait\n"],
  );
  const nodes = await ask(["node", "list", ...socket], { folder });
  assert.deepEqual(
    [nodes.code, nodes.err],
    [11, "error: this asks the hub, and --local asks this node's daemon: leave --local out\n"],
  );
});
