import { create } from "@bufbuild/protobuf";
import type Docker from "dockerode";
import { type Sample, SampleSchema } from "../../../gen/edge/v1/node_pb.ts";

/** A running container to be measured, and what is counted of its runtime already. */
export interface Measured {
  name: string;
  id: string;
  /** Of its first process, as the engine sees it. */
  pid: number;
  /** By the engine's clock. */
  startedAt: string;
  memoryLimitBytes: number;
  restarts: number;
  oomKills: number;
}

/** What is measured of a container at one moment. Counters are totals since its start. */
export interface Usage {
  /** Monotonic time in milliseconds. */
  elapsedMs: number;
  cpuNanos: number;
  memoryUsedBytes: number;
  /** 0 when it has no limit. */
  memoryLimitBytes: number;
  receivedBytes: number;
  sentBytes: number;
  blockReadBytes: number;
  blockWrittenBytes: number;
  pids: number;
  restarts: number;
  oomKills: number;
  uptimeSeconds: number;
}

/** The sample of the time between two moments; without an earlier one, all rates are 0. */
export function sampleBetween(before: Usage | undefined, after: Usage): Sample {
  const seconds = before ? (after.elapsedMs - before.elapsedMs) / 1000 : 0;
  const rate = (total: (usage: Usage) => number) =>
    before && seconds > 0 ? Math.max(0, total(after) - total(before)) / seconds : 0;
  const bytes = (total: (usage: Usage) => number) => BigInt(Math.round(rate(total)));
  return create(SampleSchema, {
    cpuPercent: rate(({ cpuNanos }) => cpuNanos) / 1e7,
    memoryUsedBytes: BigInt(after.memoryUsedBytes),
    memoryTotalBytes: BigInt(after.memoryLimitBytes),
    networkReceivedBytesPerSecond: bytes(({ receivedBytes }) => receivedBytes),
    networkSentBytesPerSecond: bytes(({ sentBytes }) => sentBytes),
    blockReadBytesPerSecond: bytes(({ blockReadBytes }) => blockReadBytes),
    blockWrittenBytesPerSecond: bytes(({ blockWrittenBytes }) => blockWrittenBytes),
    pids: after.pids,
    restarts: after.restarts,
    oomKills: after.oomKills,
    uptimeSeconds: BigInt(Math.max(0, Math.floor(after.uptimeSeconds))),
  });
}

/** What the engine's figures mean; undefined when it has none, because the container does not run. */
export function usageOf(said: Docker.ContainerStats, one: Measured, elapsedMs: number): Usage | undefined {
  // The library's types say that all of it is always there. A container that ended has hardly any.
  const { memory_stats, cpu_stats, pids_stats, networks }: Partial<Docker.ContainerStats> = said;
  if (memory_stats?.usage === undefined || cpu_stats === undefined) return undefined;
  const {
    total_inactive_file: v1,
    inactive_file: v2,
  }: { total_inactive_file?: number; inactive_file?: number } = memory_stats.stats;
  const links = Object.values(networks ?? {});
  return {
    elapsedMs,
    cpuNanos: cpu_stats.cpu_usage.total_usage,
    memoryUsedBytes: Math.max(0, memory_stats.usage - (v1 ?? v2 ?? 0)),
    memoryLimitBytes: one.memoryLimitBytes,
    receivedBytes: links.reduce((sum, { rx_bytes }) => sum + rx_bytes, 0),
    sentBytes: links.reduce((sum, { tx_bytes }) => sum + tx_bytes, 0),
    blockReadBytes: blockBytes(said, "read"),
    blockWrittenBytes: blockBytes(said, "write"),
    pids: pids_stats?.current ?? 0,
    restarts: one.restarts,
    oomKills: one.oomKills,
    uptimeSeconds: (Date.parse(said.read) - Date.parse(one.startedAt)) / 1000,
  };
}

/** Of all disks; `Read` on cgroup v1 is `read` on v2, and there is no list at all before the first byte. */
function blockBytes({ blkio_stats }: Partial<Docker.ContainerStats>, direction: string): number {
  const entries: readonly { op: string; value: number }[] | null | undefined =
    blkio_stats?.io_service_bytes_recursive;
  return (entries ?? [])
    .filter(({ op }) => op.toLowerCase() === direction)
    .reduce((sum, { value }) => sum + value, 0);
}
