import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { GetMetricsResponseSchema, type MetricsPoint } from "../../gen/edge/v1/node_pb.ts";
import { formatBytes, formatDuration } from "../base/quantity.ts";
import { answer, moment } from "./answer.ts";
import type { Door } from "./door.ts";
import { duration, whole } from "./flags.ts";
import type { Run } from "./run.ts";
import { rows } from "./table.ts";
import { type Target, withNode } from "./target.ts";

interface MetricsFlags {
  runtime?: string;
  since: number;
  points: number;
}

/** `orchestrator node metrics` */
export function defineMetrics(noun: Command, run: Run): void {
  noun
    .command("metrics [node]")
    .description("CPU, memory, disk and network of a node or of one of its runtimes")
    .option("--runtime <runtime>", "of this runtime instead of the node")
    .option("--since <duration>", "how far back, as in 15m, 24h or 7d", duration, 3_600_000)
    .option("--points <count>", "at most this many lines; finer samples are averaged", whole(1, 10_000), 20)
    .action((asked: string | undefined, flags: MetricsFlags) =>
      withNode(run, (door, target) => metrics(run, door, target, flags), asked),
    );
}

async function metrics(
  run: Run,
  door: Door,
  target: Target,
  { runtime, since, points }: MetricsFlags,
): Promise<void> {
  const now = run.clock.now();
  const request = {
    runtime: runtime ?? "",
    since: timestampFromMs(now - since),
    until: timestampFromMs(now),
    maxPoints: points,
  };
  const response = await door.ask("getMetrics", request, { nodeId: target?.id });
  answer(run, GetMetricsResponseSchema, response, () => {
    const columns = [...both, ...(runtime === undefined ? ofNode : ofRuntime), up];
    const lines = response.points.map((point) => columns.map(([, cell]) => cell(point)));
    const titles = columns.map(([title]) => title);
    const text = rows(run.terminal, titles, lines, "no samples in this time", { numbers: true });
    return lines.length === 0
      ? text
      : `${text}each line stands for ${formatDuration(response.resolutionMs)}\n`;
  });
}

type Column = readonly [title: string, cell: (point: MetricsPoint) => string];

const rate = (bytes: bigint | undefined) => `${formatBytes(bytes ?? 0n)}/s`;

const both: readonly Column[] = [
  ["AT", ({ at }) => moment(at)],
  ["CPU", ({ sample }) => `${(sample?.cpuPercent ?? 0).toFixed(1)}%`],
  ["MEMORY", ({ sample }) => formatBytes(sample?.memoryUsedBytes ?? 0n)],
  ["RECEIVED", ({ sample }) => rate(sample?.networkReceivedBytesPerSecond)],
  ["SENT", ({ sample }) => rate(sample?.networkSentBytesPerSecond)],
];
const ofNode: readonly Column[] = [
  ["DISK", ({ sample }) => (sample?.diskUsedBytes ? formatBytes(sample.diskUsedBytes) : "")],
];
const ofRuntime: readonly Column[] = [
  ["READ", ({ sample }) => rate(sample?.blockReadBytesPerSecond)],
  ["WRITTEN", ({ sample }) => rate(sample?.blockWrittenBytesPerSecond)],
  ["PIDS", ({ sample }) => String(sample?.pids ?? 0)],
  ["RESTARTS", ({ sample }) => String(sample?.restarts ?? 0)],
  ["OOM KILLS", ({ sample }) => String(sample?.oomKills ?? 0)],
];
const up: Column = ["UP", ({ sample }) => formatDuration(Number(sample?.uptimeSeconds ?? 0n) * 1000)];
