/**
 * What connected nodes cost a hub, and how it gets them back after it was killed. `BENCH_NODES=100,200` measures smaller fleets,
 * `BENCH_WINDOW_S=5` for a shorter time. The usual sizes take 8 minutes on two quiet cores.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { tempFolder } from "../test/fixtures/folder.ts";
import { until } from "../test/journeys/until.ts";
import { type Asked, keepAsking } from "../tools/fleet/operators.ts";
import { openShares, type Shares } from "../tools/fleet/shares.ts";
import { cpuMs } from "../tools/measure/cpu.ts";
import { memoryOf } from "../tools/measure/memory.ts";
import { quantile } from "../tools/measure/spread.ts";
import { type Figure, figure, type Section } from "./figures.ts";
import { floorServer, hubServer, type Server } from "./servers.ts";

const sizes = (process.env.BENCH_NODES ?? "1000,5000,10000").split(",").map(Number);
const most = Math.max(...sizes);
/** How long CPU is counted, in milliseconds: every node beats in it. */
const windowMs = Number(process.env.BENCH_WINDOW_S ?? 10) * 1000;
/** Until the garbage of handshakes is collected and every node has its pace, in milliseconds. */
const restMs = Math.min(10_000, windowMs);
/** Fewer than a hub lets in. */
const dialledPerSecond = 250;
/** Beats of the first fleet in a second, when it is as busy as it may be. */
const busyBeatsPerSecond = 10_000;
/** Commands in a second during a storm. */
const askedPerSecond = 20;
/** Longer than any storm, in milliseconds. */
const stormLimitMs = 300_000;

interface Cost {
  kbPerNode: number;
  /** Of CPU in a second. */
  microsPerNode: number;
}

interface Measured {
  costs: Cost[];
  beatsPerCore: number;
  storm: { backS: number; cpuS: number; latenciesMs: number[] };
}

export async function measure(): Promise<Section> {
  using folder = tempFolder();
  const hub = await measured("the hub", await hubServer(folder.path, most));
  const floor = await measured("the floor", await floorServer(folder.path));
  const figures: Figure[] = sizes.flatMap((nodes, at) => {
    const [ours, base] = [hub.costs[at], floor.costs[at]];
    if (!ours || !base) return [];
    return [
      figure(`${nodes} nodes: memory per node`, ours.kbPerNode, "kB", {
        base: base.kbPerNode,
        aim: "110 kB",
      }),
      figure(`${nodes} nodes: CPU per node`, ours.microsPerNode, "µs/s", { base: base.microsPerNode }),
    ];
  });
  const { storm } = hub;
  figures.push(
    figure("beats per second and core", hub.beatsPerCore, "/s", {
      base: floor.beatsPerCore,
      aim: "25000 /s",
    }),
    figure(`${most} nodes after kill -9: all are back`, storm.backS, "s", { base: floor.storm.backS }),
    figure("the same: CPU of the server", storm.cpuS, "s", { base: floor.storm.cpuS, aim: "20 s" }),
    figure("the same: a command meanwhile, p50", quantile(storm.latenciesMs, 0.5), "ms"),
    figure("the same: a command meanwhile, p99", quantile(storm.latenciesMs, 0.99), "ms"),
  );
  return {
    title: "A fleet",
    how: `The hub that ships, with the settings of its image for Node and malloc, which the floor has as well; simulated nodes (\`npm run fleet\`) in other processes, over mTLS, three runtimes each. Memory: resident with all connected and beating, minus before the first. CPU: user and system time of ${windowMs / 1000} s. Beats per second and core: ${sizes[0]} nodes send ${busyBeatsPerSecond} beats a second in all; beats over CPU. Then the server is killed with SIGKILL and started at once; nodes come back as daemons do, while ${askedPerSecond} commands a second are given to nodes that are back, each kept, sent, answered and kept again. A hub lets in 400 nodes a second, so that it can do other things meanwhile. The baseline is the floor: TLS and HTTP/2 of Node with the same certificates and frames as long, and none of our code.`,
    figures,
  };
}

async function measured(name: string, opened: Server): Promise<Measured> {
  const begunAt = performance.now();
  const tell = (what: string) => {
    const seconds = ((performance.now() - begunAt) / 1000).toFixed(0);
    process.stderr.write(`bench: ${name}, ${seconds} s: ${what}\n`);
  };
  await using server = opened;
  await server.start();
  tell(`certificates for ${most} nodes`);
  const { authorityFolder } = server;
  await using shares = await openShares({ count: most, source: { authorityFolder } });
  await sleep(restMs);
  const before = (await memoryOf(server.pid)).residentMb;
  const costs: Cost[] = [];
  let beatsPerCore = Number.NaN;
  const { port, rootPem } = server;
  const habits = { port, rootPem, answerMs: 10, runtimes: 3, beatMs: 0 };
  for (const nodes of sizes) {
    // As a hub tells so many.
    const beatMs = Math.max(5_000, nodes);
    server.beatEvery(beatMs);
    shares.dial({ ...habits, beatMs }, nodes, dialledPerSecond);
    await shares.untilUp(nodes, AbortSignal.timeout(stormLimitMs));
    tell(`${nodes} nodes are up`);
    shares.beat(beatMs);
    await sleep(restMs);
    const { cpuPerS } = await during(server, shares);
    const kbPerNode = (((await memoryOf(server.pid)).residentMb - before) * 1000) / nodes;
    costs.push({ kbPerNode, microsPerNode: (cpuPerS * 1e6) / nodes });
    if (nodes !== sizes[0]) continue;
    shares.beat((nodes * 1000) / busyBeatsPerSecond);
    await sleep(2_000);
    const busy = await during(server, shares);
    beatsPerCore = busy.beatsPerS / busy.cpuPerS;
    shares.beat(beatMs);
  }
  tell("it is killed");
  return { costs, beatsPerCore, storm: await stormOf(server, shares) };
}

/** CPU in seconds, and beats, of one second within the window. */
async function during(server: Server, shares: Shares): Promise<{ cpuPerS: number; beatsPerS: number }> {
  const [at, cpu, beats] = [performance.now(), await cpuMs(server.pid), shares.counts.beats];
  await sleep(windowMs);
  const seconds = (performance.now() - at) / 1000;
  return {
    cpuPerS: ((await cpuMs(server.pid)) - cpu) / 1000 / seconds,
    beatsPerS: (shares.counts.beats - beats) / seconds,
  };
}

async function stormOf(server: Server, shares: Shares): Promise<Measured["storm"]> {
  await server.kill9();
  const killedAt = performance.now();
  await until("the nodes have noticed", () => shares.up.size === 0);
  await server.start();
  const asked: Asked = { answered: 0, failed: 0, latenciesMs: [] };
  const stop = new AbortController();
  const door = await server.door?.();
  const asking = door && keepAsking(door, { perSecond: askedPerSecond, up: shares.up, asked }, stop.signal);
  await shares.untilUp(most, AbortSignal.timeout(stormLimitMs));
  const backS = (performance.now() - killedAt) / 1000;
  const cpuS = (await cpuMs(server.pid)) / 1000;
  stop.abort();
  await asking;
  if (asked.failed > 0) process.stderr.write(`bench: ${asked.failed} commands failed: ${asked.why}\n`);
  return { backS, cpuS, latenciesMs: asked.latenciesMs };
}
