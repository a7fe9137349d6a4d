import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, rmSync, statfsSync, symlinkSync, writeFileSync } from "node:fs";
import { cpus, totalmem, uptime } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Sample, SampleSchema } from "../../../gen/edge/v1/node_pb.ts";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Metrics, type MetricsOptions, schema } from "../../../src/daemon/metrics/index.ts";
import { readingsOf } from "../../../src/daemon/metrics/reading.ts";
import { parseNetDev, parseStat, type Reading, sampleOf } from "../../../src/daemon/metrics/sample.ts";
import { type Folder, tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";

/** The machine's own /proc below a folder, so that a file of it can be taken away. */
function procBelow(folder: Folder): string {
  const proc = join(folder.path, "proc");
  mkdirSync(proc);
  for (const name of ["stat", "meminfo", "uptime", "loadavg", "net"])
    symlinkSync(`/proc/${name}`, join(proc, name));
  return proc;
}

function open(folder: Folder, options: Partial<MetricsOptions> = {}) {
  const sql = Sql.open(join(folder.path, "db"), [schema], () => Date.now());
  const metrics = Metrics.open({
    ...{ sql, clock: systemClock, log: openLog({ program: "test", level: "silent", format: "json" }) },
    sources: { proc: "/proc", stateFolder: folder.path, trafficInterfaces: () => new Set(["lo"]) },
    runtimeSamples: async () => new Map(),
    intervalMs: 20,
    ...options,
  });
  const stop = new AbortController();
  const running = metrics.run(stop.signal);
  const ask = (runtime?: string) => {
    const series = runtime === undefined ? {} : { runtime };
    return metrics.query({ ...series, since: 0, until: Date.now() + 1, maxPoints: 1000 }).points;
  };
  return {
    ...{ metrics, sql, ask },
    measured: (count: number, runtime?: string) =>
      until(`${count} samples`, () => ask(runtime).length >= count && ask(runtime)),
    async stop() {
      stop.abort();
      await running;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      sql[Symbol.dispose]();
    },
  };
}

/** Sends a datagram to itself over loopback. */
async function traffic(bytes: number): Promise<void> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const heard = once(socket, "message");
  socket.send(Buffer.alloc(bytes), socket.address().port, "127.0.0.1");
  await heard;
  socket.close();
}

test("a sample says what the kernel says, in bytes, percent of one CPU, and seconds", async () => {
  using folder = tempFolder();
  await using on = open(folder);
  const first = on.metrics.latest();
  assert.equal(Number(first.memoryTotalBytes), totalmem());
  assert.ok(first.memoryUsedBytes > 0n && first.memoryUsedBytes < first.memoryTotalBytes);
  const { blocks, bsize } = statfsSync(folder.path);
  assert.equal(Number(first.diskTotalBytes), blocks * bsize);
  assert.ok(first.diskUsedBytes > 0n && first.diskUsedBytes <= first.diskTotalBytes);
  assert.ok(Math.abs(Number(first.uptimeSeconds) - uptime()) < 5);
  assert.ok(first.cpuPercent >= 0 && first.cpuPercent <= 100 * cpus().length);

  const from = Date.now();
  await until("traffic in a sample", async () => {
    await traffic(10_000);
    return on.metrics.latest().networkReceivedBytesPerSecond > 0n;
  });
  assert.ok(on.metrics.latest().networkSentBytesPerSecond > 0n);
  const [point] = await on.measured(3);
  assert.ok(point && point.at > from - 60_000 && point.at <= Date.now(), "wall time in milliseconds, UTC");
});

test("when it stops, what was measured is on disk; samples of runtimes are series of their own", async () => {
  using folder = tempFolder();
  const sample = create(SampleSchema, { cpuPercent: 150, memoryUsedBytes: 1n << 40n, uptimeSeconds: 7n });
  {
    await using on = open(folder, {
      runtimeSamples: async () => new Map<string, Sample>([["plc1", sample]]),
    });
    const [point] = await on.measured(2, "plc1");
    assert.deepEqual(point?.sample, sample);
    assert.equal(on.sql.get("SELECT COUNT(*) AS n FROM metrics_fine")?.n, 0, "a beat costs no sync");
    await on.stop();
    assert.ok(Number(on.sql.get("SELECT COUNT(*) AS n FROM metrics_fine")?.n) >= 4);
  }
  await using on = open(folder);
  assert.ok(on.ask("plc1").length >= 2);
  assert.ok(on.metrics.hasSeries("plc1"));
});

test("an engine that hangs or fails, and a file of the kernel that is away, leave holes and stop nothing", async () => {
  using folder = tempFolder();
  const proc = procBelow(folder);
  let asked = 0;
  await using on = open(folder, {
    sources: { proc, stateFolder: folder.path, trafficInterfaces: () => new Set() },
    runtimeSamples: (signal) => {
      if (++asked < 3) return Promise.reject(failure("unavailable", "the engine is away"));
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  await on.measured(2);
  rmSync(join(proc, "meminfo"));
  await until("the engine to hang", () => asked >= 3);
  const kept = on.ask().length;
  symlinkSync("/proc/meminfo", join(proc, "meminfo"));
  await on.measured(kept + 2);
});

test("a wall clock that jumps changes neither rates nor the time between samples", async () => {
  using folder = tempFolder();
  let offsetMs = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + offsetMs };
  await using on = open(folder, { clock });
  await on.measured(2);
  offsetMs = -Date.now(); // 1970
  await until(
    "samples of 1970",
    () => on.metrics.query({ since: 0, until: 3_600_000, maxPoints: 9 }).points.length > 2,
  );
  offsetMs = Date.UTC(2100, 0, 1) - Date.now();
  const in2100 = { since: Date.UTC(2099, 11, 31), until: Date.UTC(2100, 0, 2), maxPoints: 9 };
  await until("samples of 2100", () => on.metrics.query(in2100).points.length > 2);
  const { points } = on.metrics.query(in2100);
  for (const { sample } of points)
    assert.ok(sample.cpuPercent >= 0 && sample.cpuPercent <= 100 * cpus().length);
});

test("which interfaces count is asked when one came or went, and once a minute", () => {
  using folder = tempFolder();
  const proc = procBelow(folder);
  rmSync(join(proc, "net"));
  mkdirSync(join(proc, "net"));
  const interfaces = (...names: string[]) =>
    writeFileSync(
      join(proc, "net/dev"),
      ["", "", ...names.map((name) => `${name}: 1 0 0 0 0 0 0 0 2`)].join("\n"),
    );
  let asked = 0;
  const trafficInterfaces = () => {
    asked++;
    return new Set(["eth0", "eth1"]);
  };
  const read = readingsOf({ proc, stateFolder: folder.path, trafficInterfaces });
  interfaces("lo", "eth0");
  assert.deepEqual([...read(0).traffic.keys()], ["eth0"]);
  read(5_000);
  assert.equal(asked, 1);
  interfaces("lo", "eth0", "eth1");
  assert.deepEqual([...read(10_000).traffic.keys()], ["eth0", "eth1"]);
  read(69_999);
  assert.equal(asked, 2);
  read(70_000);
  assert.equal(asked, 3);
});

const reading = (elapsedMs: number, over: Partial<Reading> = {}): Reading => ({
  ...{ elapsedMs, cpu: { busy: 0, total: 0, cpuCount: 4 }, memory: { usedBytes: 1, totalBytes: 2 } },
  ...{ disk: { usedBytes: 3, totalBytes: 4 }, traffic: new Map(), uptimeSeconds: 9.9, load1m: 0.5 },
  ...over,
});

test("CPU is the busy share since the sample before, in percent of one CPU", () => {
  const cpu = (busy: number, total: number) => ({ cpu: { busy, total, cpuCount: 4 } });
  const percent = (before: Reading | undefined, after: Reading) => sampleOf(before, after).cpuPercent;
  assert.equal(percent(reading(0, cpu(100, 1000)), reading(5000, cpu(200, 1400))), 100);
  assert.equal(percent(reading(0, cpu(0, 0)), reading(5000, cpu(400, 400))), 400);
  assert.equal(percent(undefined, reading(0, cpu(50, 1000))), 20, "without a sample before: since boot");
  assert.equal(
    percent(reading(0, cpu(900, 1000)), reading(5000, cpu(900, 900))),
    400,
    "an idle counter that went back",
  );
  assert.equal(percent(reading(0), reading(5000)), 0);
});

test("rates are per second; an interface that came, went or was reset counts as no traffic", () => {
  const on = (...of: [string, number, number][]) => ({
    traffic: new Map(of.map(([name, receivedBytes, sentBytes]) => [name, { receivedBytes, sentBytes }])),
  });
  const before = reading(0, on(["eth0", 1000, 1000], ["eth1", 5000, 5000], ["gone", 1, 1]));
  const after = reading(2000, on(["eth0", 3000, 1500], ["eth1", 10, 10], ["new", 1e9, 1e9]));
  const sample = sampleOf(before, after);
  assert.equal(sample.networkReceivedBytesPerSecond, 1000n);
  assert.equal(sample.networkSentBytesPerSecond, 250n);
  assert.equal(sampleOf(undefined, after).networkReceivedBytesPerSecond, 0n);
});

test("the kernel's files are read as they are written", () => {
  // Of a machine with two CPUs: guest time is part of user time, stolen and waiting time are not ours.
  const stat =
    "cpu  100 10 50 800 40 5 5 90 30 0\ncpu0 50 5 25 400 20 2 3 45 15 0\ncpu1 50 5 25 400 20 3 2 45 15 0\nintr 1\n";
  assert.deepEqual(parseStat(stat), { busy: 170, total: 1100, cpuCount: 2 });
  const dev =
    "Inter-|   Receive                                                |  Transmit\n face |bytes\n" +
    "    lo:     100       1    0    0    0     0          0         0      200       1    0    0    0     0       0          0\n" +
    "eth0:1:4294967296       1    0    0    0     0          0         0 7 1 0 0 0 0 0 0\n";
  assert.deepEqual(
    parseNetDev(dev),
    new Map([
      ["lo", { receivedBytes: 100, sentBytes: 200 }],
      ["eth0:1", { receivedBytes: 4294967296, sentBytes: 7 }],
    ]),
  );
});
