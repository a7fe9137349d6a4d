/**
 * Commands through one, two and three replicas on PostgreSQL and NATS, each a process, and through the hub that ships: embedded, alone.
 * A command is kept, sent, acknowledged, answered and kept again before its caller hears of it. `BENCH_COMMANDS=200` asks less.
 */

import { openPlant, type Plant } from "../test/journeys/replicas/plant.ts";
import { quantile } from "../tools/measure/spread.ts";
import { type Figure, figure, type Section } from "./figures.ts";

const commands = Number(process.env.BENCH_COMMANDS ?? 3_000);
const nodes = 60;
const entry = new URL("../dist/orchestrator.js", import.meta.url).pathname;
/** Callers at once, spread over the hubs: enough to keep them busy, few enough to see what one call takes. */
const callers = 48;
const warmUp = 200;

interface Measured {
  perSecond: number;
  latenciesMs: number[];
}

export async function measure(): Promise<Section> {
  const embedded = await measured({ hubs: 1, isEmbedded: true });
  const figures: Figure[] = [...figuresOf("embedded, one hub", embedded)];
  for (const hubs of [1, 2, 3]) {
    const scaled = await measured({ hubs, isEmbedded: false });
    figures.push(...figuresOf(`${hubs} ${hubs === 1 ? "replica" : "replicas"}`, scaled, embedded));
  }
  return {
    title: `Replicas: ${commands} commands to ${nodes} nodes by ${callers} callers`,
    how: "Commands that change something, by callers who know all hubs; baseline is the embedded hub with SQLite. Hubs, PostgreSQL, NATS, nodes and callers share this machine's cores, so it shows what sharing a store costs, and not what more machines bring.",
    figures,
  };
}

async function measured(options: { hubs: number; isEmbedded: boolean }): Promise<Measured> {
  process.stderr.write(`bench: ${options.isEmbedded ? "embedded" : `${options.hubs} replicas`}\n`);
  await using plant = await openPlant({ ...options, entry, nodes, env: { ORCHESTRATOR_LOG_LEVEL: "warn" } });
  await plant.allUp();
  await ask(plant, warmUp, "warm");
  const from = performance.now();
  const latenciesMs = await ask(plant, commands, "c");
  return { perSecond: (commands * 1000) / (performance.now() - from), latenciesMs };
}

async function ask({ hubs, nodes }: Plant, count: number, prefix: string): Promise<number[]> {
  const latenciesMs: number[] = [];
  let next = 0;
  const caller = async () => {
    for (let at = next++; at < count; at = next++) {
      const from = performance.now();
      const node = nodes[at % nodes.length];
      if (node) await hubs[at % hubs.length]?.restart(node.nodeId, `${prefix}-${at}`);
      latenciesMs.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return latenciesMs;
}

function figuresOf(name: string, { perSecond, latenciesMs }: Measured, base?: Measured): Figure[] {
  return [
    figure(`${name}: commands`, perSecond, "/s", base ? { base: base.perSecond } : {}),
    figure(
      `${name}: latency p50`,
      quantile(latenciesMs, 0.5),
      "ms",
      base ? { base: quantile(base.latenciesMs, 0.5) } : {},
    ),
    figure(
      `${name}: latency p99`,
      quantile(latenciesMs, 0.99),
      "ms",
      base ? { base: quantile(base.latenciesMs, 0.99) } : {},
    ),
  ];
}
