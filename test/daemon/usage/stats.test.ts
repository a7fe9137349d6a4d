import assert from "node:assert/strict";
import { test } from "node:test";
import type Docker from "dockerode";
import { sampleBetween, usageOf } from "../../../src/daemon/usage/usage.ts";

const measured = {
  name: "plc1",
  id: "one",
  pid: 0,
  startedAt: "2026-11-21T10:00:00Z",
  memoryLimitBytes: 0,
  restarts: 2,
  oomKills: 1,
};

/** What an engine says of a container, as far as it is used; recorded from 20.10 (cgroup v1) and 28 (v2). */
function said(cpuNanos: number, memory: Record<string, number>): Docker.ContainerStats {
  const figures = {
    read: "2026-11-21T10:01:30Z",
    cpu_stats: { cpu_usage: { total_usage: cpuNanos } },
    memory_stats: { usage: 10_000, stats: memory },
    networks: { eth0: { rx_bytes: 1000, tx_bytes: 10 }, eth1: { rx_bytes: 500, tx_bytes: 0 } },
  };
  return figures as unknown as Docker.ContainerStats; // The rest of it is never read.
}

test("rates are between two moments; the memory that the kernel gives back does not count", () => {
  const first = usageOf(said(1e9, { total_inactive_file: 4000 }), measured, 0);
  const second = usageOf(said(2e9, { inactive_file: 3000 }), measured, 2000);
  assert.ok(first && second);
  assert.equal(sampleBetween(undefined, first).cpuPercent, 0);
  assert.equal(first.memoryUsedBytes, 6000);
  const sample = sampleBetween({ ...first, receivedBytes: 500 }, second);
  assert.equal(sample.cpuPercent, 50);
  assert.equal(sample.memoryUsedBytes, 7000n);
  assert.equal(sample.networkReceivedBytesPerSecond, 500n);
  assert.equal(sample.uptimeSeconds, 90n);
});

test("a container that ended while it was measured has no sample", () => {
  const ended = { read: "0001-01-01T00:00:00Z", cpu_stats: {}, memory_stats: {} };
  assert.equal(usageOf(ended as Docker.ContainerStats, measured, 0), undefined);
});
