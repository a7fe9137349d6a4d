/** The CLI and a real hub of this machine: tokens for nodes, tokens for people, and what a role may not do. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempFolder } from "../fixtures/folder.ts";
import { freePort } from "../fixtures/port.ts";
import { program } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";
import { ask } from "./ask.ts";

test("an admin lets nodes and people in; a viewer may look, and is told whom to ask for more", async () => {
  using folder = tempFolder();
  const port = await freePort();
  const env = { ORCHESTRATOR_HUB_DATA_DIR: folder.path, ORCHESTRATOR_HUB_API_PORT: String(port) };
  await using hub = program(["hub", "start"], {
    env: { ...env, ORCHESTRATOR_HUB_LINE_PORT: "0", ORCHESTRATOR_LOG_LEVEL: "error" },
  });
  hub.start();
  const say = async (...args: string[]) => await ask(args, { folder: folder.path, env });
  const nodes = await until("the hub answers", async () => {
    const seen = await say("node", "list");
    return seen.code === 0 && seen.out;
  });
  assert.equal(nodes, "the fleet has no nodes yet: `orchestrator hub token create` lets one in\n");

  const { out: token, err: hint } = await say("hub", "token", "create", "--note", "press hall");
  assert.match(token, /^edge1_[\w-]+\n$/);
  assert.match(
    hint,
    /^Good for one node until .+Z\. On that machine:\n {2}orchestrator daemon enroll --token -/,
  );
  const [titles, line = ""] = (await say("hub", "token", "list")).out.split("\n");
  assert.match(titles ?? "", /^ID +FOR +MADE +GOOD UNTIL +USED BY +NOTE$/);
  assert.match(line, / - +press hall$/);
  const [id = ""] = line.split(" ");
  assert.equal((await say("hub", "token", "revoke", id)).out, `token ${id} is worthless now\n`);
  assert.equal((await say("hub", "token", "revoke", "nope")).code, 4);

  const viewer = await say("hub", "operator", "create", "alice", "--role", "viewer");
  writeFileSync(join(folder.path, "alice"), viewer.out, { mode: 0o600 });
  const asAlice = async (...args: string[]) => await say(...args, "--token-file", "alice");
  assert.equal((await asAlice("node", "list")).code, 0);
  const denied = await asAlice("hub", "token", "create");
  assert.equal(denied.code, 6);
  assert.match(denied.err, /^error: .*admin/);

  const unknown = await say("hub", "token", "create", "--for-node", "n-nobody");
  assert.deepEqual([unknown.code, /n-nobody is not in the fleet/.test(unknown.err)], [4, true]);

  assert.match((await say("hub", "ca", "list")).out, /^ID .*\n[0-9a-f]{16} +in use +0 /);
  const asked = await say("hub", "ca", "rotate");
  assert.match(asked.err, /say --yes/);
  assert.match((await say("hub", "ca", "rotate", "--yes")).out, /^root [0-9a-f]{16} signs the certificates/);
  const [, young = "", old = ""] = (await say("hub", "ca", "list")).out.split("\n");
  assert.match(young, / new: signs nodes +0 /);
  assert.match(old, / old: signs the hub +0 /);
  assert.equal((await say("hub", "ca", "list", "--pem")).out.match(/BEGIN/g)?.length, 2);
  assert.equal((await say("hub", "ca", "rotate", "--yes")).code, 5);
  const [oldId = ""] = old.split(" ");
  assert.equal((await say("hub", "ca", "retire", oldId, "--yes")).out, `root ${oldId} is retired\n`);
  assert.match((await say("hub", "ca", "list")).out, / in use .*\n.* retired 20/);

  const runtimes = await say("runtime", "list");
  assert.deepEqual(
    [runtimes.code, runtimes.err],
    [4, "error: the fleet has no nodes yet: let one in with `orchestrator hub token create`\n"],
  );
  await hub.stop();
});
