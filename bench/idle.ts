/** What the daemon costs to keep while nothing happens, with none, some and many runtimes. */
import { setTimeout as sleep } from "node:timers/promises";
import { startEngine } from "../test/fixtures/engine.ts";
import { idleImage } from "../test/fixtures/images.ts";
import { cpuMs } from "../tools/measure/cpu.ts";
import { memoryOf } from "../tools/measure/memory.ts";
import { answerBeats, makeCrowd, removeCrowd, runtimesOf, untilRunning } from "./crowd.ts";
import { type Figure, figure, type Section } from "./figures.ts";
import { type BenchNode, benchNode } from "./node.ts";

const counts = [0, 20, 100];
/** After what went before; garbage of the start is collected then, too. */
const restMs = 15_000;
/** Two looks at everything are in it, however they fall. */
const windowMs = 60_000;
/** The longest that may be set: no samples within the window. */
const noSamples = { ORCHESTRATOR_METRICS_INTERVAL_MS: "300000" };

export async function measure(): Promise<Section> {
  await using engine = await startEngine({ name: "bench" });
  const image = await idleImage(engine);
  await using node = await benchNode({ dockerHost: `unix://${engine.socketPath}` });
  const figures: Figure[] = [];
  let empty: Idle | undefined;
  for (const count of counts) {
    await started(node);
    await makeCrowd(node, { image, count });
    await node.stop();
    const idle = await idleOf(node, count);
    const base = (value: number | undefined) => (value === undefined ? {} : { base: value });
    figures.push(
      figure(`${count} runtimes: CPU`, idle.cpuMs, "ms/min", base(empty?.cpuMs)),
      figure(`${count} runtimes: resident memory`, idle.residentMb, "MB", base(empty?.residentMb)),
      figure(`${count} runtimes: of it anonymous`, idle.anonymousMb, "MB", base(empty?.anonymousMb)),
    );
    empty ??= idle;
  }
  const many = counts.at(-1) ?? 0;
  const loop = await idleOf(node, many, noSamples);
  figures.push(
    figure(`${many} runtimes, no samples: CPU`, loop.cpuMs, "ms/min", { base: empty?.cpuMs ?? 0 }),
  );
  await started(node);
  await removeCrowd(runtimesOf(node));
  const health = { exec: { command: ["true"] }, intervalMs: 30_000 };
  await makeCrowd(node, { image, count: many, more: { health } });
  await node.stop();
  const checked = await idleOf(node, many);
  figures.push(
    figure(`${many} runtimes, checked every 30 s: CPU`, checked.cpuMs, "ms/min", { base: empty?.cpuMs ?? 0 }),
  );
  return {
    title: "The daemon at rest",
    how: `The bundle, connected to a hub that beats every 5 s, with runtimes that do nothing: user and system time of ${windowMs / 1000} s, in which it samples the node and every runtime twelve times and looks at everything twice, after a start and ${restMs / 1000} s of rest. No samples: \`metrics.interval_ms\` is so long that none falls into the time, so that what is left is the loop, the line and the beat. Checks run a program in each runtime, by the engine. The baseline is the same daemon without runtimes.`,
    figures,
  };
}

interface Idle {
  cpuMs: number;
  residentMb: number;
  anonymousMb: number;
}

async function started(node: BenchNode, settings: Record<string, string> = {}): Promise<number> {
  const { process: daemon, stream } = await node.start(settings);
  await stream.welcome();
  answerBeats(stream);
  return daemon.pid ?? 0;
}

async function idleOf(node: BenchNode, count: number, settings: Record<string, string> = {}): Promise<Idle> {
  const pid = await started(node, settings);
  await untilRunning(runtimesOf(node), count);
  await sleep(restMs);
  const from = await cpuMs(pid);
  await sleep(windowMs);
  const used = (await cpuMs(pid)) - from;
  const memory = await memoryOf(pid);
  await node.stop();
  return { cpuMs: (used * 60_000) / windowMs, ...memory };
}
