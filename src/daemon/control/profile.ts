import type { Sample } from "../../../gen/edge/v1/node_pb.ts";

/** How much a line says of itself. */
export interface Profile {
  /** The time for each frame of an idle line, in milliseconds: a beat goes there and back in twice that; 0 leaves it to the hub. */
  idleIntervalMs: number;
  /** Status and progress are sent at most this often, in milliseconds. */
  levelPaceMs: number;
  /** Whether a beat has nothing in it that the hub knows already. */
  isSparing: boolean;
}

/** The profiles of the setting `line.profile`. What they cost in a month is measured by bench/idle-bytes.ts. */
export const profiles = {
  // Nobody reads status faster.
  prompt: { idleIntervalMs: 0, levelPaceMs: 250, isSparing: false },
  metered: { idleIntervalMs: 30_000, levelPaceMs: 5_000, isSparing: true },
  frugal: { idleIntervalMs: 600_000, levelPaceMs: 60_000, isSparing: true },
} satisfies Record<string, Profile>;

/** A sample is told anew after this time, whatever is in it: seconds of uptime. */
const tellAnewSeconds = 3_600;
/** Less traffic than this is none, in bytes per second. */
const someTraffic = 10_000;

/** Whether a sample says something else than the one that the hub was told. */
export function isNews(now: Sample, told: Sample | undefined): boolean {
  if (!told) return true;
  const moved = (field: SizeField, total: bigint) => apart(now[field], told[field]) * 20 > Number(total);
  return (
    Math.abs(Number(now.uptimeSeconds - told.uptimeSeconds)) >= tellAnewSeconds ||
    Math.abs(now.cpuPercent - told.cpuPercent) >= 10 ||
    Math.abs(now.load1m - told.load1m) >= 1 ||
    moved("memoryUsedBytes", now.memoryTotalBytes) ||
    moved("diskUsedBytes", now.diskTotalBytes) ||
    isOtherTraffic(now.networkReceivedBytesPerSecond, told.networkReceivedBytesPerSecond) ||
    isOtherTraffic(now.networkSentBytesPerSecond, told.networkSentBytesPerSecond)
  );
}

type SizeField = "memoryUsedBytes" | "diskUsedBytes";

function apart(one: bigint, other: bigint): number {
  return Math.abs(Number(one - other));
}

/** Twice or half as much. */
function isOtherTraffic(now: bigint, told: bigint): boolean {
  const most = Math.max(Number(now), Number(told));
  return most >= someTraffic && apart(now, told) * 2 >= most;
}
