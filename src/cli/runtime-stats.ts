import type { Command } from "commander";
import {
  type GetRuntimeStatsResponse,
  GetRuntimeStatsResponseSchema,
  RuntimePhase,
  type RuntimeStats,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { formatBytes, formatDuration } from "../base/quantity.ts";
import { answer, word } from "./answer.ts";
import type { Door } from "./door.ts";
import { duration } from "./flags.ts";
import type { Run } from "./run.ts";
import { table } from "./table.ts";
import { type Target, withNode } from "./target.ts";

interface StatsFlags {
  /** Milliseconds. */
  interval: number;
  once: boolean;
}

/** `orchestrator runtime stats` */
export function defineStats(noun: Command, run: Run): void {
  noun
    .command("stats [runtime...]")
    .description("what runtimes use now: CPU, memory, network, disks; until Ctrl-C on a terminal")
    .option("--interval <duration>", "time between two looks", duration, 2000)
    .option("--once", "look once and end, as it does in a pipe", false)
    .action((names: string[], flags: StatsFlags) =>
      withNode(run, (door, target) => watch(run, door, target, names, flags)),
    );
}

async function watch(
  run: Run,
  door: Door,
  target: Target,
  names: string[],
  { interval, once }: StatsFlags,
): Promise<void> {
  const { terminal, signal, clock } = run;
  const look = () => door.ask("getRuntimeStats", { names }, { nodeId: target?.id });
  const isPerson = terminal.columns !== undefined && terminal.animated && !run.flags.json;
  if (once || !isPerson) {
    const response = await look();
    answer(run, GetRuntimeStatsResponseSchema, response, () => tableOf(response, run));
    return;
  }
  try {
    while (!signal.aborted) {
      const text = tableOf(await look(), run);
      terminal.out(`${clearScreen}${text}`);
      await clock.sleep(interval, signal);
    }
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}

/** To the first cell, and nothing is left of what was there. */
const clearScreen = "\x1b[H\x1b[J";

const titles = [
  ...["NAME", "PHASE", "CPU", "MEMORY", "LIMIT", "RECEIVED", "SENT", "READ", "WRITTEN"],
  ...["PIDS", "RESTARTS", "OOM KILLS", "UP"],
];

function tableOf({ runtimes }: GetRuntimeStatsResponse, { terminal }: Run): string {
  if (runtimes.length === 0) return "no runtimes\n";
  const { columns, style } = terminal;
  const titled = titles.map((title, index) => ({ title, right: index > 1 }));
  return table(titled, runtimes.map(lineOf), { columns, bold: style.bold });
}

function lineOf({ name, phase, sample, restarts, oomKills }: RuntimeStats): string[] {
  const rate = (bytes: bigint) => `${formatBytes(bytes)}/s`;
  const used = sample
    ? [
        `${sample.cpuPercent.toFixed(1)}%`,
        formatBytes(sample.memoryUsedBytes),
        sample.memoryTotalBytes > 0n ? formatBytes(sample.memoryTotalBytes) : "none",
        rate(sample.networkReceivedBytesPerSecond),
        rate(sample.networkSentBytesPerSecond),
        rate(sample.blockReadBytesPerSecond),
        rate(sample.blockWrittenBytesPerSecond),
        String(sample.pids),
      ]
    : Array.from({ length: 8 }, () => "");
  const up = sample ? formatDuration(Number(sample.uptimeSeconds) * 1000) : "";
  return [name, word(RuntimePhase, phase), ...used, String(restarts), String(oomKills), up];
}
