/** The hub as a program: how it starts, what it keeps, and what it says when it cannot. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Fleet, Role } from "../../gen/edge/v1/fleet_pb.ts";
import { smallDisk, tempFolder } from "../fixtures/folder.ts";
import { type Program, program, runOnce } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";

/** Settings of a hub in a folder, on ports of the system's choice. */
function envOf(folder: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    ORCHESTRATOR_HUB_DATA_DIR: folder,
    ORCHESTRATOR_HUB_API_PORT: "0",
    ORCHESTRATOR_HUB_LINE_PORT: "0",
    ...more,
  };
}

/** Starts it, waits for its line, and gives a client for the API that the line names. */
async function up(hub: Program, folder: string) {
  const before = hub.output().length;
  hub.start();
  const url = await until("the hub is up", async () => {
    return /The hub is up\. API: (https:\S+)/.exec(hub.output().slice(before))?.[1];
  });
  const token = readFileSync(join(folder, "admin.token"), "utf8").trim();
  const nodeOptions = { ca: readFileSync(join(folder, "ca/ca.pem")) };
  const fleet = createClient(
    Fleet,
    createGrpcTransport({
      baseUrl: url,
      nodeOptions,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    }),
  );
  return { fleet, token };
}

/** What a hub that cannot start says, and its exit code. */
async function refusal(env: Record<string, string>, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await runOnce(["hub", "start", ...flags], { env });
  const said = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  assert.equal(said.length, 1, `one sentence, and no stack: ${stderr}`);
  assert.equal(stdout, "");
  return `${code} ${said[0]}`;
}

describe("orchestrator hub start", () => {
  it("keeps everything over a restart, and ends in order when it is asked to", async () => {
    using folder = tempFolder();
    await using hub = program(["hub", "start"], { env: envOf(folder.path) });
    const first = await up(hub, folder.path);
    await first.fleet.createOperatorToken({ name: "alice", role: Role.VIEWER });
    const { record } = await first.fleet.createEnrolmentToken({ note: "line 3" });
    const rootBefore = readFileSync(join(folder.path, "ca/ca.pem"), "utf8");
    assert.equal((await stat(join(folder.path, "admin.token"))).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder.path, "hub.db"))).mode & 0o077, 0);
    hub.signal("SIGTERM");
    assert.equal(await hub.ended(), 0);

    const second = await up(hub, folder.path);

    assert.equal(second.token, first.token);
    assert.equal(readFileSync(join(folder.path, "ca/ca.pem"), "utf8"), rootBefore);
    const { tokens } = await second.fleet.listOperatorTokens({});
    assert.deepEqual(tokens.map(({ name }) => name).sort(), ["admin", "alice"]);
    const kept = (await second.fleet.listEnrolmentTokens({})).tokens;
    assert.deepEqual(
      kept.map(({ id, note }) => [id, note]),
      [[record?.id, "line 3"]],
    );
    assert.match(
      await refusal(envOf(folder.path)),
      /^5 orchestrator hub start: .*hub\.db is in use by another/,
    );
  });

  it("refuses to make a new authority for an old fleet", async () => {
    using folder = tempFolder();
    await using hub = program(["hub", "start"], { env: envOf(folder.path) });
    await up(hub, folder.path);
    await hub.stop();
    renameSync(join(folder.path, "ca"), join(folder.path, "elsewhere"));

    assert.match(
      await refusal(envOf(folder.path)),
      /^5 orchestrator hub start: .*hub\.db is that of a hub that has a fleet, but its .* put ca\.pem and ca\.key back/,
    );
    assert.equal(existsSync(join(folder.path, "ca")), false);
  });

  it("refuses a state file that cannot be read, and leaves it where it is", async () => {
    using folder = tempFolder();
    await using hub = program(["hub", "start"], { env: envOf(folder.path) });
    const { token } = await up(hub, folder.path);
    await hub.stop();
    const rubbish = crypto.getRandomValues(new Uint8Array(50_000));
    writeFileSync(join(folder.path, "hub.db"), rubbish);

    assert.match(
      await refusal(envOf(folder.path)),
      /^7 orchestrator hub start: .*hub\.db cannot be read \(.*\): put it back from a backup, or move it away/,
    );

    assert.deepEqual(new Uint8Array(readFileSync(join(folder.path, "hub.db"))), rubbish);
    assert.equal(readFileSync(join(folder.path, "admin.token"), "utf8").trim(), token);
  });

  it("says what is wrong with its disk, its ports and its authority, each with its exit code", async () => {
    using disk = smallDisk(1 << 20);
    disk.setReadOnly(true);
    assert.match(
      await refusal(envOf(join(disk.path, "hub"))),
      /^7 .*cannot make the folder .*: check its owner/,
    );

    using folder = tempFolder();
    await using hub = program(["hub", "start"], { env: envOf(folder.path) });
    const { fleet } = await up(hub, folder.path);
    assert.ok(await fleet.getHub({}));
    const [, taken = ""] = /API: https:\S+:(\d+)/.exec(hub.output()) ?? [];
    const other = join(folder.path, "other");
    assert.match(
      await refusal(envOf(other, { ORCHESTRATOR_HUB_API_PORT: taken })),
      new RegExp(`^5 .*port ${taken} of 127\\.0\\.0\\.1 is taken`),
    );
    assert.match(await refusal(envOf(other), "--hub-listen", "192.0.2.1"), /^(3|7) .*192\.0\.2\.1/);
    const ca = { ORCHESTRATOR_HUB_CA_CERTIFICATE_FILE: "/nowhere.pem" };
    assert.match(
      await refusal(envOf(other, ca)),
      /^3 .*hub\.ca\.key_file: is not set, and hub\.ca\.certificate_file is/,
    );
    const both = { ...ca, ORCHESTRATOR_HUB_CA_KEY_FILE: "/nowhere.key" };
    assert.match(
      await refusal(envOf(join(folder.path, "third"), both)),
      /^3 .*\/nowhere\.pem cannot be read/,
    );
  });

  it("tells every wrong setting at once, and where each effective one comes from", async () => {
    using folder = tempFolder();
    const file = join(folder.path, "config.yaml");
    writeFileSync(file, "hub:\n  advertise: [hub.example]\n  line: { port: 70000 }\n  colour: red\n");
    const wrong = await refusal(envOf(folder.path), "--config", file, "--hub-beat-interval-ms=soon");
    assert.match(wrong, /^3 .*hub\.line\.port: 70000 \(file .*config\.yaml\) is refused: must be a port/);
    assert.match(wrong, /hub\.colour: is not a known setting/);
    assert.match(wrong, /hub\.beat_interval_ms: "soon" \(flag --hub-beat-interval-ms\) is refused/);

    writeFileSync(file, "hub:\n  advertise: [hub.example]\n");
    const args = ["hub", "start", "--print-config", "--config", file];
    const { code, stdout } = await runOnce(args, { env: envOf(folder.path) });
    assert.equal(code, 0);
    assert.match(stdout, /hub\.advertise +hub\.example +file .*config\.yaml\n/);
    assert.match(stdout, /hub\.api\.port +0 +environment ORCHESTRATOR_HUB_API_PORT\n/);
    assert.match(stdout, /hub\.beat_interval_ms +5000 +default\n/);
    assert.equal(existsSync(join(folder.path, "hub.db")), false);
  });
});
