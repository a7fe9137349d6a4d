import { create } from "@bufbuild/protobuf";
import { type Sample, SampleSchema } from "../../../gen/edge/v1/node_pb.ts";

/** Everything that one sample of the node is made from, read at one moment. Counters are totals since some past moment. */
export interface Reading {
  /** Monotonic time in milliseconds. */
  elapsedMs: number;
  cpu: CpuTicks;
  memory: { usedBytes: number; totalBytes: number };
  disk: { usedBytes: number; totalBytes: number };
  /** By interface; only those whose traffic counts. */
  traffic: ReadonlyMap<string, Traffic>;
  uptimeSeconds: number;
  load1m: number;
}

export interface CpuTicks {
  busy: number;
  /** Busy, idle and stolen. */
  total: number;
  cpuCount: number;
}

export interface Traffic {
  receivedBytes: number;
  sentBytes: number;
}

/**
 * The sample of the time between two readings; without an earlier one, CPU is the average since boot and the network rates
 * are 0. A counter that went back (an interface that was plugged again, a driver that was reset) counts as no traffic.
 */
export function sampleOf(before: Reading | undefined, after: Reading): Sample {
  const seconds = before ? (after.elapsedMs - before.elapsedMs) / 1000 : 0;
  const bytes = (direction: keyof Traffic): bigint => {
    if (!before || seconds <= 0) return 0n;
    let sum = 0;
    for (const [name, now] of after.traffic) {
      const then = before.traffic.get(name);
      if (then) sum += Math.max(0, now[direction] - then[direction]);
    }
    return BigInt(Math.round(sum / seconds));
  };
  return create(SampleSchema, {
    cpuPercent: cpuPercent(before?.cpu, after.cpu),
    memoryUsedBytes: BigInt(after.memory.usedBytes),
    memoryTotalBytes: BigInt(after.memory.totalBytes),
    diskUsedBytes: BigInt(after.disk.usedBytes),
    diskTotalBytes: BigInt(after.disk.totalBytes),
    networkReceivedBytesPerSecond: bytes("receivedBytes"),
    networkSentBytesPerSecond: bytes("sentBytes"),
    uptimeSeconds: BigInt(Math.floor(after.uptimeSeconds)),
    load1m: after.load1m,
  });
}

/** The share of all CPU time that was busy, in percent of one CPU. Never more than there are CPUs. */
function cpuPercent(before: CpuTicks | undefined, after: CpuTicks): number {
  let busy = after.busy - (before?.busy ?? 0);
  let total = after.total - (before?.total ?? 0);
  // Two readings within one tick say nothing yet, and the kernel's idle counters may go back.
  if (total <= 0) [busy, total] = [after.busy, after.total];
  if (total <= 0) return 0;
  return Math.min(1, Math.max(0, busy / total)) * after.cpuCount * 100;
}

/**
 * The first lines of /proc/stat. Waiting for a disk is idle, and time that the hypervisor took is not ours; the time of
 * guests is contained in user time already.
 */
export function parseStat(text: string): CpuTicks {
  const [, ...words] = /^cpu .*$/m.exec(text)?.[0].split(/\s+/) ?? [];
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] =
    words.map(Number);
  const busy = user + nice + system + irq + softIrq;
  return { busy, total: busy + idle + ioWait + steal, cpuCount: text.match(/^cpu\d/gm)?.length ?? 1 };
}

/** /proc/meminfo: used is what the kernel could not give to a program now, so caches do not count. */
export function parseMeminfo(text: string): Reading["memory"] {
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  const totalBytes = bytes("MemTotal");
  return { totalBytes, usedBytes: Math.max(0, totalBytes - bytes("MemAvailable")) };
}

/** /proc/net/dev by interface. */
export function parseNetDev(text: string): Map<string, Traffic> {
  const found = new Map<string, Traffic>();
  for (const line of text.split("\n").slice(2)) {
    // A name may hold a colon, so the last one ends it; and nothing need stand between it and the first number.
    const colon = line.lastIndexOf(":");
    if (colon < 0) continue;
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    found.set(line.slice(0, colon).trim(), { receivedBytes: numbers[0] ?? 0, sentBytes: numbers[8] ?? 0 });
  }
  return found;
}

/** The average over one minute in /proc/loadavg. */
export function parseLoadavg(text: string): number {
  return Number(text.split(" ")[0] ?? 0);
}

/** Seconds since boot in /proc/uptime. */
export function parseUptime(text: string): number {
  return Number(text.split(" ")[0] ?? 0);
}
