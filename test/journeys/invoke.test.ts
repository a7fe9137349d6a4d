import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildSampleImage } from "../../tools/sample-image.ts";
import { sharedEngine } from "../fixtures/engine.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { zipOf } from "../fixtures/zip.ts";
import { program, type Ran, runOnce } from "./program.ts";
import { until } from "./until.ts";

/**
 * A hub, a node and an engine in one network namespace, the engine's: the daemon reaches the bridges of its runtimes as it does
 * on a node. Requests go through both doors to the sample runtime.
 */
test("a runtime's own interface through both doors: a program, another certificate, a crash in the middle", async () => {
  await using opened = new AsyncDisposableStack();
  const engine = opened.use(await sharedEngine());
  const { tag: image } = await buildSampleImage(engine.docker);
  const { path: folder } = opened.use(tempFolder());
  const port = 20_000 + 2 * (process.pid % 5_000);
  const socket = join(folder, "daemon", "daemon.sock");
  const env = {
    ORCHESTRATOR_HUB_DATA_DIR: join(folder, "hub"),
    ORCHESTRATOR_HUB_API_PORT: String(port),
    ORCHESTRATOR_HUB_LINE_PORT: String(port + 1),
    ORCHESTRATOR_HUB_BEAT_INTERVAL_MS: "1000",
    ORCHESTRATOR_DAEMON_DATA_DIR: join(folder, "daemon"),
    ORCHESTRATOR_DOCKER_HOST: `unix://${engine.socketPath}`,
    ORCHESTRATOR_NETMON_SOCKET: join(folder, "no-netmon.sock"),
  };
  const run = { env, under: ["nsenter", `--net=/run/netns/${engine.netns}`] };
  const hub = opened.use(program(["hub", "start"], run));
  const daemon = opened.use(program(["daemon", "start"], run));
  const cli = (...args: string[]): Promise<Ran> => runOnce(args, run);
  const name = `invoke-${process.pid}`;
  const invoke = (...args: string[]) => cli("runtime", "invoke", name, ...args);
  const good = async (ran: Promise<Ran>): Promise<string> => {
    const { code, stdout, stderr } = await ran;
    assert.equal(code, 0, stderr);
    return stdout;
  };

  hub.start();
  const created = await until("the hub answers", async () => {
    const { code, stdout } = await cli("hub", "token", "create", "--json");
    return code === 0 && (JSON.parse(stdout) as { token: string });
  });
  await good(cli("daemon", "enroll", "--token", created.token));
  daemon.start();
  const isConnected = async () => / up /.test((await cli("node", "list")).stdout);
  await until("the node is connected", isConnected);
  await good(cli("runtime", "create", name, "--image", image));
  opened.defer(async () => void (await good(cli("--socket", socket, "runtime", "delete", name, "--yes"))));

  // Both doors give the same bytes; the runtime's server needs a moment after its container runs.
  const version = '{"version":"v4.1.0-sample"}';
  const first = await until("the runtime answers", async () => {
    const ran = await invoke("GET", "/api/version");
    return ran.code === 0 && ran;
  });
  assert.equal(first.stdout, version);
  const local = await cli("--socket", socket, "runtime", "invoke", name, "get", "/api/version", "-i");
  assert.equal(local.stdout, version);
  assert.match(local.stderr, /^HTTP 200\n/);

  // What the node does not allow, and what nobody listens to, are different things.
  assert.equal((await invoke("GET", "/", "--port", "22")).code, 6);
  assert.equal((await invoke("GET", "/api/status", "--fail")).code, 6, "the runtime's own 401");

  const login = ["--user", "op", "--password-file", join(folder, "password")];
  const user = JSON.stringify({ username: "op", password: "secret" });
  writeFileSync(join(folder, "password"), "secret");
  writeFileSync(join(folder, "program.zip"), zipOf({ "core/program.st": "PROGRAM" }));
  assert.match(await good(invoke("POST", "/api/create-user", "-d", user, "--fail")), /"role":"admin"/);
  assert.match(
    await good(cli("plc", "upload", name, join(folder, "program.zip"), ...login)),
    /runs program\.zip/,
  );
  await good(cli("plc", "stop", name, ...login));
  assert.match(await good(cli("plc", "status", name, ...login)), /program +stopped/);

  // Another certificate at the same runtime gets nothing until somebody trusts it.
  const container = engine.docker.getContainer(
    (await engine.docker.listContainers({ filters: { label: [`edge.runtime=${name}`] } }))[0]?.Id ?? "",
  );
  const exec = await container.exec({ Cmd: ["rm", "/var/run/runtime/tls.pem"] });
  (await exec.start({ Detach: true })).destroy();
  await until("the file is gone", async () => (await exec.inspect()).ExitCode === 0);
  await good(cli("runtime", "restart", name));
  const refused = await until("the runtime answers again", async () => {
    const ran = await invoke("GET", "/api/version");
    return ran.code !== 7 && ran;
  });
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /was expected: nothing was sent.*--trust-new-certificate/);
  await good(invoke("GET", "/api/version", "--trust-new-certificate"));
  assert.equal(await good(invoke("GET", "/api/version")), version);
  await until("what became of its certificates is told", async () => {
    const events = await good(cli("events", "watch", "--last", "100", "--no-follow"));
    const told = events.matchAll(/certificate of runtime .* (pinned|refused|replaced): /g);
    assert.deepEqual(
      [...told].map(([, kind]) => kind),
      ["pinned", "refused", "replaced"],
    );
    return true;
  });

  // The daemon dies while a POST is at a runtime that hangs: it is not sent again, and says so.
  const { Pid: pid } = (await container.inspect()).State;
  process.kill(pid, "SIGSTOP");
  const hanging = invoke("POST", "/api/logout", "--http", "--timeout", "60s");
  await until("the request is at the node", async () => {
    const { commands } = JSON.parse(await good(cli("command", "list", "--pending", "--json"))) as {
      commands: { state: string }[];
    };
    return commands.length === 1 && commands[0]?.state === "COMMAND_STATE_ACCEPTED";
  });
  const connections = ["ss", "-tnH", "state", "established", "sport", "=", ":8443"];
  await until("the request is at the runtime, which has not read it", () =>
    /^\s*[1-9]/m.test(
      execFileSync("nsenter", [`--net=/proc/${pid}/ns/net`, ...connections], { encoding: "utf8" }),
    ),
  );
  await daemon.kill9();
  process.kill(pid, "SIGCONT");
  daemon.start();
  const doubtful = await hanging;
  assert.equal(doubtful.code, 7, doubtful.stderr);
  assert.match(doubtful.stderr, /may have been done, and is not sent again/);
});
