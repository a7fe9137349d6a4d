import { create } from "@bufbuild/protobuf";
import type Docker from "dockerode";
import { type Sample, SampleSchema } from "../../../gen/edge/v1/node_pb.ts";
import type { Engine } from "./engine.ts";
import { inBatches } from "./engine.ts";
import { isNotFound } from "./engine-failures.ts";

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
  uptimeSeconds: number;
}

/** The sample of the time between two moments; without an earlier one, CPU and network rates are 0. */
export function sampleBetween(before: Usage | undefined, after: Usage): Sample {
  const seconds = before ? (after.elapsedMs - before.elapsedMs) / 1000 : 0;
  const rate = (total: (usage: Usage) => number) =>
    before && seconds > 0 ? Math.max(0, total(after) - total(before)) / seconds : 0;
  return create(SampleSchema, {
    cpuPercent: rate(({ cpuNanos }) => cpuNanos) / 1e7,
    memoryUsedBytes: BigInt(after.memoryUsedBytes),
    memoryTotalBytes: BigInt(after.memoryLimitBytes),
    networkReceivedBytesPerSecond: BigInt(Math.round(rate(({ receivedBytes }) => receivedBytes))),
    networkSentBytesPerSecond: BigInt(Math.round(rate(({ sentBytes }) => sentBytes))),
    uptimeSeconds: BigInt(Math.max(0, Math.floor(after.uptimeSeconds))),
  });
}

/** A running container to be measured. */
export interface Measured {
  name: string;
  id: string;
  /** By the engine's clock. */
  startedAt: string;
  memoryLimitBytes: number;
}

/** Measures running containers; remembers what it measured last, for the rates. */
export class Stats {
  readonly #engine: Engine;
  readonly #elapsed: () => number;
  #before = new Map<string, Usage>();

  constructor(engine: Engine, elapsed: () => number) {
    this.#engine = engine;
    this.#elapsed = elapsed;
  }

  /** One sample for each that still runs, by the runtime's name. */
  async take(running: readonly Measured[], signal: AbortSignal): Promise<Map<string, Sample>> {
    const usages = await inBatches(running, async (one) => ({
      one,
      usage: await this.#measure(one, signal),
    }));
    const samples = new Map<string, Sample>();
    const now = new Map<string, Usage>();
    for (const { one, usage } of usages) {
      if (!usage) continue;
      const key = `${one.id} ${one.startedAt}`;
      samples.set(one.name, sampleBetween(this.#before.get(key), usage));
      now.set(key, usage);
    }
    this.#before = now;
    return samples;
  }

  async #measure(one: Measured, signal: AbortSignal): Promise<Usage | undefined> {
    try {
      const said = await this.#engine.stats(one.id, signal);
      return said && usageOf(said, one, this.#elapsed());
    } catch (thrown) {
      if (isNotFound(thrown)) return undefined;
      throw thrown;
    }
  }
}

/** What the engine's figures mean; undefined when it has none, because the container does not run. */
export function usageOf(said: Docker.ContainerStats, one: Measured, elapsedMs: number): Usage | undefined {
  // The library's types say that all of it is always there. A container that ended has hardly any.
  const { memory_stats, cpu_stats, networks }: Partial<Docker.ContainerStats> = said;
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
    uptimeSeconds: (Date.parse(said.read) - Date.parse(one.startedAt)) / 1000,
  };
}
