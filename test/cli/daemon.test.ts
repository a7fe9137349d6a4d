/** The CLI and a real daemon of this machine, without an engine and without a hub. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { tempFolder } from "../fixtures/folder.ts";
import { program } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";
import { ask } from "./ask.ts";

test("a daemon that is alone is asked, told what it cannot do, and stopped", async () => {
  using folder = tempFolder();
  const env = {
    ORCHESTRATOR_DAEMON_DATA_DIR: folder.path,
    ORCHESTRATOR_DOCKER_HOST: "unix:///nowhere/docker.sock",
    ORCHESTRATOR_LOG_LEVEL: "error",
  };
  const around = { folder: folder.path, env: { ORCHESTRATOR_DAEMON_DATA_DIR: folder.path } };
  await using daemon = program(["daemon", "start"], { env });
  daemon.start();
  const status = await until("the daemon answers", async () => {
    const seen = await ask(["daemon", "status"], around);
    return seen.code === 0 && seen.out;
  });
  assert.match(status, /^node +not enrolled\nhub +-\n/);
  assert.match(status, /\nengine +not reachable: /);

  const create = ["runtime", "create", "plc1", "--image", "busybox:1", "--local", "--timeout", "1s"];
  const refused = await ask(create, around);
  assert.ok(refused.code === 7 || refused.code === 8, refused.err);
  assert.match(refused.err, /^error: .+\n/);

  const stopped = await ask(["daemon", "stop"], around);
  assert.deepEqual(stopped, { code: 0, out: "the daemon is stopped; its runtimes go on\n", err: "" });
  assert.equal(await daemon.ended(), 0);
  const again = await ask(["daemon", "stop"], around);
  assert.deepEqual(again, { code: 0, out: "no daemon runs here\n", err: "" });
  const gone = await ask(["runtime", "list", "--local"], around);
  const socket = join(folder.path, "daemon.sock");
  assert.equal(
    gone.err,
    `error: no daemon answers at ${socket}: start it with \`orchestrator daemon start\`\n`,
  );
});
