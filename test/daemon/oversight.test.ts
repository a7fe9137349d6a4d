import assert from "node:assert/strict";
import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { Audit, AuditKind } from "../../gen/edge/v1/audit_pb.ts";
import type { Result } from "../../gen/edge/v1/command_pb.ts";
import { Events } from "../../gen/edge/v1/events_pb.ts";
import { FailureKind } from "../../gen/edge/v1/failure_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { Door, Policy } from "../../gen/edge/v1/policy_pb.ts";
import { Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { systemClock } from "../../src/base/clock.ts";
import { failure } from "../../src/base/failure.ts";
import { openLog } from "../../src/base/log.ts";
import { daemonSettings } from "../../src/daemon/config.ts";
import { openDaemon } from "../../src/daemon/daemon.ts";
import { writeIdentity } from "../../src/daemon/identity/identity.ts";
import { programSettings } from "../../src/wire/begin.ts";
import { fromConnectError } from "../../src/wire/failures.ts";
import { type HubStream, startFakeHub } from "../fakes/hub.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { until } from "../journeys/until.ts";
import { socketTransport } from "../journeys/world.ts";

/** A whole daemon in this process, with a settings file, and no engine. */
async function startDaemon(folder: string, policy: string | undefined) {
  await using opened = new AsyncDisposableStack();
  const [file, policyFile, socket] = ["config.yaml", "policy.yaml", "d.sock"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  if (policy !== undefined) writeFileSync(policyFile, policy);
  const configure = (level: string, { more = "", policy: quotas = "" } = {}) =>
    writeFileSync(
      file,
      `daemon: {data_dir: ${folder}/data, socket: ${socket}}\ndocker: {host: "unix://${folder}/none.sock"}\n` +
        `netmon: {socket: ${folder}/netmon.sock}\npolicy: {file: ${policyFile}${quotas}}\nlog: {level: ${level}}\n${more}`,
    );
  configure("error");
  const definitions = daemonSettings({ env: {}, uid: 0, home: folder });
  const load = async () => (await programSettings(definitions, { flags: {}, env: {}, file })).values;
  const log = openLog({ program: "test", level: "silent", format: "json" });
  const given = { config: await load(), source: { load, file }, clock: systemClock, log, random: () => 0 };
  const daemon = opened.use(await openDaemon(given));
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  opened.defer(async () => {
    stop.abort();
    await running;
  });
  const transport = socketTransport(daemon.socket);
  const owned = opened.move();
  return {
    ...{ daemon, log, policyFile, configure },
    policy: createClient(Policy, transport),
    runtimes: createClient(Runtimes, transport),
    audit: createClient(Audit, transport),
    node: createClient(Node, transport),
    events: async () =>
      (await createClient(Events, transport).listEvents({})).events.map(({ event }) => event),
    entries: async (...kinds: AuditKind[]) =>
      (await createClient(Audit, transport).listAudit({ kinds })).entries,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The result of a command, as the node reports it. */
async function resultOf(stream: HubStream, commandId: string): Promise<Result> {
  for (;;) {
    const { entry } = await stream.expect("report");
    if (entry.case === "result" && entry.value.commandId === commandId) return entry.value;
  }
}

/** The kind of what a call fails with, and the fields that it names. */
async function refusal(call: Promise<unknown>): Promise<string[]> {
  const { kind, violations } = await call.then(() => failure("internal", "allowed"), fromConnectError);
  return [kind, ...violations.map(({ field }) => field)];
}

const noPresses = (deny: string) =>
  `rules:\n  - {id: no.presses, on: command, deny_when: '${deny}', field: spec.name, message: presses are made at the machine}\n`;

test("what the policy denies does nothing at all, from the hub and from the local door", async () => {
  using folder = tempFolder();
  await using hub = await startFakeHub(join(folder.path, "hub"));
  await writeIdentity(join(folder.path, "data"), hub.identity);
  const rule =
    'command == "create_runtime" && request.spec.name.startsWith("press-") || command == "get_interfaces"';
  await using node = await startDaemon(folder.path, noPresses(rule));
  const stream = await hub.nextStream();
  await stream.welcome();

  const spec = { name: "press-1", image: "nginx" };
  const request = { case: "createRuntime", value: { spec } } as const;
  stream.say({
    case: "command",
    value: { sequence: 1n, command: { id: "c1", actor: "operator/mallory", request } },
  });
  const { outcome } = await resultOf(stream, "c1");
  assert.ok(outcome.case === "failure");
  assert.equal(outcome.value.kind, FailureKind.DENIED);
  assert.deepEqual(
    outcome.value.violations.map(({ field, message }) => [field, message]),
    [["spec.name", "denied by rule no.presses: presses are made at the machine"]],
  );
  assert.deepEqual(await refusal(node.runtimes.createRuntime({ spec })), ["denied", "spec.name"]);
  assert.deepEqual(
    await refusal(node.node.getInterfaces({})),
    ["denied", "spec.name"],
    "a read is judged, too",
  );
  const other = { ...spec, name: "other", capabilities: ["SYS_ADMIN"] };
  const byList = await refusal(node.runtimes.createRuntime({ spec: other }));
  assert.deepEqual(byList, ["denied", "spec.capabilities[0]"], "the lists of the settings count as before");

  assert.deepEqual(
    (await node.policy.checkPolicy({ subject: { case: "command", value: "get_interfaces" } })).allowed,
    false,
  );
  const denied = await node.entries(AuditKind.DENIAL);
  assert.deepEqual(
    denied.map(({ caller, action, subject }) => [caller?.door, caller?.actor, action, subject]),
    [
      [Door.HUB, "operator/mallory", "create_runtime", "runtime/press-1"],
      [Door.LOCAL, "local", "create_runtime", "runtime/press-1"],
      [Door.LOCAL, "local", "get_interfaces", ""],
    ],
  );
  assert.equal((await node.events()).filter((event) => event?.fact.case === "policyDenied").length, 3);
  assert.equal((await node.audit.verifyAudit({})).intact, true);
  const noted = await node.entries(AuditKind.COMMAND, AuditKind.RESULT);
  assert.deepEqual(
    noted.map(({ kind, commandId, outcome: told }) => [kind, commandId === "c1", told]),
    [
      [AuditKind.RESULT, true, "denied"],
      [AuditKind.RESULT, false, "denied"],
      [AuditKind.COMMAND, false, "allowed"],
      [AuditKind.RESULT, false, "denied"],
    ],
  );
  await assert.rejects(node.runtimes.getRuntime({ name: "press-1" }), /there is no runtime press-1/);
});

test("a policy is read again when its file changes, and a bad one changes nothing and is told", async () => {
  using folder = tempFolder();
  await using node = await startDaemon(folder.path, "quotas: {max_runtimes: 3}\n");
  const quota = async () => {
    const { values } = await node.policy.getPolicy({});
    return values.find(({ name }) => name === "quotas.max_runtimes")?.values[0];
  };
  assert.equal(await quota(), "3");
  // As editors and configuration management do it: another file takes the name.
  writeFileSync(`${node.policyFile}.new`, "quotas: {max_runtimes: 4}\n");
  renameSync(`${node.policyFile}.new`, node.policyFile);
  await until("the new policy", async () => (await quota()) === "4");
  writeFileSync(node.policyFile, "quotas: {max_runtime: 5}\n");
  await node.daemon.reload();
  const { problem } = await node.policy.getPolicy({});
  assert.equal(problem, "quotas.max_runtime (line 1): is not known: did you mean max_runtimes?");
  assert.equal(await quota(), "4", "what was before is in force");
  writeFileSync(node.policyFile, "quotas: {max_runtimes: 5}\n");
  await node.daemon.reload();
  assert.deepEqual([await quota(), (await node.policy.getPolicy({})).problem], ["5", ""]);
  chmodSync(node.policyFile, 0o666);
  await node.daemon.reload();
  assert.match((await node.policy.getPolicy({})).problem, /may be written by others than root/);
  const told = (await node.events()).flatMap((event) =>
    event?.fact.case === "configuration" ? event.fact.value : [],
  );
  assert.deepEqual(
    told.map(({ what, applied, changed }) => [what, applied, changed]),
    [
      ["policy", true, ["quotas.max_runtimes"]],
      ["policy", false, []],
      ["policy", true, ["quotas.max_runtimes"]],
      ["policy", false, []],
    ],
  );
  assert.deepEqual(
    (await node.entries(AuditKind.CONFIGURATION)).map(({ action, outcome }) => [action, outcome]),
    [
      ["load", "ok"],
      ["reload", "ok"],
      ["reload", "invalid"],
      ["reload", "ok"],
      ["reload", "invalid"],
    ],
  );
});

test("a policy that cannot be read at the start leaves the strict profile in force", async () => {
  using folder = tempFolder();
  await using node = await startDaemon(folder.path, undefined);
  const { profile, problem } = await node.policy.getPolicy({});
  assert.deepEqual([profile, problem.endsWith("policy.yaml is not there")], ["strict", true]);
  const refused = await node.runtimes
    .createRuntime({ spec: { name: "plc1", image: "nginx" } })
    .catch(fromConnectError);
  assert.ok("kind" in refused && refused.kind === "denied");
  assert.ok(refused.violations.some(({ message }) => /denied by rule image\.digest/.test(message)));
  writeFileSync(node.policyFile, "{}");
  await node.daemon.reload();
  assert.equal((await node.policy.getPolicy({})).profile, "standard", "mended");
});

test("settings are read again: what can change counts at once, the rest is told to need a restart", async () => {
  using folder = tempFolder();
  await using node = await startDaemon(folder.path, "{}");
  node.log.level = "error";
  node.configure("silent", { more: "metrics: {interval_ms: 9000}\n", policy: ", max_containers: 3" });
  await node.daemon.reload();
  assert.equal(node.log.level, "silent");
  const { values } = await node.policy.getPolicy({});
  assert.deepEqual(values.find(({ name }) => name === "quotas.max_containers")?.values, ["3"]);
  node.configure("loud");
  await node.daemon.reload();
  assert.equal(node.log.level, "silent", "what was before is in force");
  const told = (await node.events()).flatMap((event) =>
    event?.fact.case === "configuration" && event.fact.value.what === "settings" ? event.fact.value : [],
  );
  assert.deepEqual(
    told.map(({ applied, changed, needRestart }) => [applied, changed, needRestart]),
    [
      [true, ["policy.max_containers", "log.level"], ["metrics.interval_ms"]],
      [false, [], []],
    ],
  );
  assert.match(told.at(-1)?.problem ?? "", /log\.level: "loud" .* is refused: must be one of/);
});
