import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { type Command, type Result, ResultSchema } from "../../gen/edge/v1/command_pb.ts";
import { EventSchema, RuntimeChangeKind } from "../../gen/edge/v1/events_pb.ts";
import { CommandState, Fleet, FleetCommandSchema, FleetNodeSchema } from "../../gen/edge/v1/fleet_pb.ts";
import { RuntimePhase, RuntimeSchema, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { toConnectError, toFailureMessage } from "../../src/wire/failures.ts";
import { ask, type Seen, type Surroundings } from "./ask.ts";
import { type StandInHub, standInDaemon, standInHub } from "./stand-in.ts";

const node = create(FleetNodeSchema, { id: "node-7f3a", hostName: "press-7", connected: true });

/** A runtime that has been up for an hour and a half. */
function runtime(name: string, phase: RuntimePhase, { restarts = 0, reason = "" } = {}) {
  const ports = [{ nodePort: 18443, runtimePort: 8443 }];
  const spec = { name, image: "orchestrator/openplc-sample:4.0", ports };
  const startedAt = timestampFromMs(Date.now() - 5_400_000);
  return create(RuntimeSchema, { spec, phase, startedAt, restarts, reason });
}

const runtimes = [
  runtime("plc1", RuntimePhase.RUNNING, { restarts: 2 }),
  runtime("plc-two", RuntimePhase.FAILED, { reason: "its image is \x1b[31mgone" }),
];

/** A hub with one node; commands end as `outcome` says, after some progress. */
class Hub {
  readonly submitted: Command[] = [];
  readonly headers: Headers[] = [];
  outcome: Result | undefined;
  /** Called when a command is watched, before its first picture. */
  onWatch = (): void => {};
  node = node;

  routes = (router: ConnectRouter): void => {
    router.service(Fleet, {
      listNodes: () => ({ nodes: [this.node] }),
      submitCommand: ({ command }) => {
        if (command) this.submitted.push(command);
        return { command: { ...(command && { command }) } };
      },
      watchCommand: async function* (this: Hub, { id }: { id: string }) {
        this.onWatch();
        const command = create(FleetCommandSchema, { state: CommandState.ACCEPTED });
        const progress = {
          commandId: id,
          phase: "pulling image",
          doneBytes: 512n << 20n,
          totalBytes: 1n << 30n,
          detail: "1 of 3 layers were there",
        };
        yield { command };
        yield { command, progress };
        if (this.outcome) yield { command: { ...command, result: this.outcome } };
      }.bind(this),
      watchEvents: async function* () {
        const fact = {
          case: "runtime" as const,
          value: { name: "plc1", kind: RuntimeChangeKind.EXITED, exitCode: 137, outOfMemory: true },
        };
        const event = create(EventSchema, {
          at: timestampFromMs(0),
          commandId: "cmd-1",
          fact: fact as never,
        });
        yield { position: 1n, nodeId: node.id, sequence: 1n, event };
      },
    });
    router.service(Runtimes, {
      listRuntimes: (_, { requestHeader }) => {
        this.headers.push(requestHeader);
        return { runtimes };
      },
      getRuntime: ({ name }) => {
        throw toConnectError(failure("not_found", `there is no runtime ${name} on this node`));
      },
    });
  };
}

async function world(t: TestContext): Promise<{ hub: Hub; served: StandInHub; say: Say; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-cli-"));
  const hub = new Hub();
  const served = await standInHub(folder, hub.routes);
  t.after(async () => {
    await served.cut();
    rmSync(folder, { recursive: true });
  });
  const at = [
    "--hub",
    `https://127.0.0.1:${served.port}`,
    "--token-file",
    "admin.token",
    "--ca-file",
    served.caFile,
  ];
  return { hub, served, folder, say: (args, more) => ask([...args, ...at], { folder, ...more }) };
}

type Say = (args: string[], more?: Partial<Surroundings>) => Promise<Seen>;

const create1 = ["runtime", "create", "plc1", "--image", "busybox:1"];
const ended = (outcome: MessageInitShape<typeof ResultSchema>) =>
  create(ResultSchema, { tookMs: 412, ...outcome });
const created = ended({
  outcome: { case: "createRuntime", value: { created: true, ...(runtimes[0] && { runtime: runtimes[0] }) } },
});

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

test("Ctrl-C and --timeout end the waiting, not the command, and say how to go on", async (t) => {
  const { hub, say } = await world(t);
  hub.onWatch = () => {};
  const late = await say([...create1, "--timeout", "300ms"]);
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
