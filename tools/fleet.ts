/** `npm run fleet`: thousands of simulated nodes at a hub. See `--help`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { runTasks } from "../src/base/tasks.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { buildAll } from "./build.ts";
import type { HubDoor } from "./fleet/door.ts";
import type { Source } from "./fleet/identities.ts";
import { thisMachine } from "./fleet/machine.ts";
import { type Asked, keepAsking, removeNodes } from "./fleet/operators.ts";
import { type OwnHub, ownHub } from "./fleet/own-hub.ts";
import { refusal } from "./fleet/room.ts";
import { openShares } from "./fleet/shares.ts";
import { lineOf, watcher } from "./fleet/watch.ts";

const help = `npm run fleet -- [--nodes 1000] [--minutes N] [--commands-per-second 10] [--flap 0] [--json]

Simulated nodes at a hub: each has a certificate of its own and a real line over mutual TLS, beats, tells its runtimes,
answers commands, keeps its reports until the hub has them, and comes back after a break as the daemon does. Without --hub, a
hub of the fleet's own is started on loopback, in a folder that is removed at the end; it is told how to look at it.

  --nodes N                 how many (1000)
  --rate N                  lines that are dialled in a second (200: half as many as a hub lets in)
  --minutes N               how long; until Ctrl-C when not given
  --commands-per-second N   commands of operators, each to another node (10)
  --answer-ms N             how long a node takes for a command (50)
  --beat-ms N               time between beats; as the hub says when not given
  --flap N                  lines that break in a minute (0)
  --runtimes N              runtimes that each node says that it has (3)
  --hub URL                 an existing hub, as in https://hub.example:7444; each node is enrolled with a token of its own
  --line HOST:PORT          where that hub's line is (its host, port 7443)
  --token-file FILE         an operator token of that hub (role admin)
  --ca-file FILE            the root certificate of that hub
  --keep                    leave the nodes in that hub's books at the end
  --json                    every look as a line of JSON on standard output
`;

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "1000" },
    rate: { type: "string", default: "200" },
    minutes: { type: "string" },
    "commands-per-second": { type: "string", default: "10" },
    "answer-ms": { type: "string", default: "50" },
    "beat-ms": { type: "string", default: "0" },
    flap: { type: "string", default: "0" },
    runtimes: { type: "string", default: "3" },
    hub: { type: "string" },
    line: { type: "string" },
    "token-file": { type: "string" },
    "ca-file": { type: "string" },
    keep: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Between two looks, in milliseconds. */
const lookMs = 5_000;

if (values.help) process.stdout.write(help);
else process.exitCode = await simulate();

async function simulate(): Promise<number> {
  const nodes = whole("nodes", 1);
  const why = refusal({ nodes, withHub: values.hub === undefined }, await thisMachine(nodes));
  if (why !== undefined) {
    tell(why);
    return 10; // As a failure of the kind "exhausted".
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

  using folder = tempFolder();
  await using hub = values.hub === undefined ? await startedHub(folder.path, nodes) : undefined;
  const door = hub ? await hub.door() : await existingDoor();
  const line = hub ? { port: hub.linePort } : lineAddress(door);
  const source: Source = hub ? { authorityFolder: hub.authorityFolder } : { hub: door };
  tell(`certificates for ${nodes} nodes`);
  await using shares = await openShares({ count: nodes, source, prepared: everyThousand });
  const [answerMs, runtimes, beatMs] = [whole("answer-ms"), whole("runtimes"), whole("beat-ms")];
  shares.dial({ ...line, rootPem: door.caPem, answerMs, runtimes, beatMs }, nodes, whole("rate", 1));

  const asked: Asked = { answered: 0, failed: 0, latenciesMs: [] };
  const look = watcher(shares, asked, () => hub?.program.pid);
  const forMs = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60_000;
  const endAt = performance.now() + forMs;
  const everyNode = new Set<string>();
  await runTasks(
    stop.signal,
    (signal) => keepAsking(door, { perSecond: whole("commands-per-second"), up: shares.up, asked }, signal),
    (signal) => flap((count) => shares.cut(count), whole("flap"), signal),
    async (signal) => {
      while (!signal.aborted && performance.now() < endAt) {
        await sleep(Math.min(lookMs, endAt - performance.now()), undefined, { signal }).catch(() => {});
        const seen = await look();
        for (const id of shares.up) everyNode.add(id);
        if (values.json) process.stdout.write(`${JSON.stringify(seen)}\n`);
        else tell(lineOf(seen, nodes));
      }
      stop.abort();
    },
  );
  const { welcomes, losses, beats, commands, rejected } = shares.counts;
  tell(`${welcomes} lines came up, ${losses} went down, ${beats} beats, ${commands} commands answered`);
  if (asked.failed > 0) tell(`${asked.failed} commands failed, the last one because: ${asked.why}`);
  for (const [code, times] of Object.entries(rejected)) tell(`refused with code ${code}: ${times} times`);
  if (!hub && !values.keep) {
    tell(`taking ${everyNode.size} nodes out of the hub's books; --keep would leave them`);
    await shares[Symbol.asyncDispose]();
    await removeNodes(door, [...everyNode]);
  }
  return 0;
}

async function startedHub(folder: string, nodes: number): Promise<OwnHub> {
  const dist = join(folder, "dist");
  await buildAll(dist);
  const hub = await ownHub({ folder: join(folder, "hub"), nodes, entry: join(dist, "orchestrator.js") });
  await hub.start();
  const flags = `--hub https://127.0.0.1:${hub.apiPort} --token-file ${hub.folder}/admin.token --ca-file ${hub.folder}/ca/ca.pem`;
  tell(`a hub is up; look at it with:\n  npx orchestrator node list ${flags}`);
  return hub;
}

async function existingDoor(): Promise<HubDoor> {
  const { hub: url = "", "token-file": tokenFile, "ca-file": caFile } = values;
  if (tokenFile === undefined || caFile === undefined) {
    throw new Error("--hub needs --token-file and --ca-file as well");
  }
  const operatorToken = (await readFile(tokenFile, "utf8")).trim();
  return { url, operatorToken, caPem: await readFile(caFile, "utf8") };
}

function lineAddress({ url }: HubDoor): { host: string; port: number } {
  const { hostname, port } = new URL(values.line === undefined ? url : `https://${values.line}`);
  return { host: hostname, port: values.line === undefined ? 7443 : Number(port) };
}

async function flap(cut: (count: number) => void, perMinute: number, signal: AbortSignal): Promise<void> {
  let owed = 0;
  while (!signal.aborted) {
    await sleep(1000, undefined, { signal }).catch(() => {});
    owed += perMinute / 60;
    if (owed < 1) continue;
    cut(Math.floor(owed));
    owed -= Math.floor(owed);
  }
}

function everyThousand(done: number): void {
  if (done % 1000 === 0) tell(`  ${done}`);
}

/** A flag that is a whole number. */
function whole(name: keyof typeof values, least = 0): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < least) {
    throw new Error(`--${name} must be a whole number of at least ${least}`);
  }
  return value;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
