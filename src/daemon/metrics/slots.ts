import { create } from "@bufbuild/protobuf";
import { type Sample, SampleSchema } from "../../../gen/edge/v1/node_pb.ts";

/** A sample in plain numbers, as the tables hold it. Bytes and counts fit a double exactly up to 8 PiB. */
export interface Measured {
  /** Begin of the interval it stands for: wall time in milliseconds. */
  at: number;
  cpu: number;
  memory: number;
  disk: number;
  received: number;
  sent: number;
  load: number;
  memoryTotal: number;
  diskTotal: number;
  uptime: number;
  blockRead: number;
  blockWritten: number;
  pids: number;
  restarts: number;
  oomKills: number;
}

/** Samples added up: sums of what is averaged, and the newest of what is not. */
export interface Slot extends Omit<Measured, "at"> {
  weight: number;
  lastAt: number;
}

/** What a point tells as the average of its samples. */
export const averaged = [
  ...(["cpu", "memory", "disk", "received", "sent", "load"] as const),
  ...(["blockRead", "blockWritten"] as const),
] as const;
/** What a point tells as it was in its newest sample. */
export const newest = ["memoryTotal", "diskTotal", "uptime", "pids", "restarts", "oomKills"] as const;

/** A sample taken at `at` (wall time in milliseconds), as the plain numbers that are averaged. */
export function measuredOf(sample: Sample, at: number): Measured {
  return {
    at,
    cpu: sample.cpuPercent,
    memory: Number(sample.memoryUsedBytes),
    disk: Number(sample.diskUsedBytes),
    received: Number(sample.networkReceivedBytesPerSecond),
    sent: Number(sample.networkSentBytesPerSecond),
    load: sample.load1m,
    memoryTotal: Number(sample.memoryTotalBytes),
    diskTotal: Number(sample.diskTotalBytes),
    uptime: Number(sample.uptimeSeconds),
    blockRead: Number(sample.blockReadBytesPerSecond),
    blockWritten: Number(sample.blockWrittenBytesPerSecond),
    pids: sample.pids,
    restarts: sample.restarts,
    oomKills: sample.oomKills,
  };
}

/** A slot without any sample. */
export function emptySlot(): Slot {
  return {
    ...{ cpu: 0, memory: 0, disk: 0, received: 0, sent: 0, load: 0, blockRead: 0, blockWritten: 0 },
    ...{ memoryTotal: 0, diskTotal: 0, uptime: 0, pids: 0, restarts: 0, oomKills: 0 },
    ...{ weight: 0, lastAt: Number.NEGATIVE_INFINITY },
  };
}

/** Adds one sample to a slot. */
export function addSlot(slot: Slot, measured: Measured): void {
  for (const name of averaged) slot[name] += measured[name];
  slot.weight++;
  if (measured.at < slot.lastAt) return;
  slot.lastAt = measured.at;
  for (const name of newest) slot[name] = measured[name];
}

/** What a slot says: averages, and totals and uptime as they were last. */
export function sampleOfSlot(slot: Slot): Sample {
  const mean = (name: (typeof averaged)[number]) => slot[name] / slot.weight;
  const bytes = (value: number) => BigInt(Math.round(value));
  return create(SampleSchema, {
    cpuPercent: mean("cpu"),
    memoryUsedBytes: bytes(mean("memory")),
    memoryTotalBytes: bytes(slot.memoryTotal),
    diskUsedBytes: bytes(mean("disk")),
    diskTotalBytes: bytes(slot.diskTotal),
    networkReceivedBytesPerSecond: bytes(mean("received")),
    networkSentBytesPerSecond: bytes(mean("sent")),
    uptimeSeconds: bytes(slot.uptime),
    load1m: mean("load"),
    blockReadBytesPerSecond: bytes(mean("blockRead")),
    blockWrittenBytesPerSecond: bytes(mean("blockWritten")),
    pids: slot.pids,
    restarts: slot.restarts,
    oomKills: slot.oomKills,
  });
}
