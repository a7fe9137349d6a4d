import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { FieldViolation } from "../../base/failure.ts";

/** What a cell may use: every limit has a number. */
export interface CellLimits {
  memoryBytes: number;
  cpuMillis: number;
  pids: number;
  /** Of all writable file systems together. */
  diskBytes: number;
  wallTimeMs: number;
  stopGraceMs: number;
  ioBytes: number;
}

const mebibyte = 2 ** 20;
/** Of `/dev/shm`, which is always there: enough for the semaphores of a language's workers. */
export const shmBytes = mebibyte;
/** The most that a file system in memory gets that the manifest gives no size, and the least with which one is of use. */
const usualTmpBytes = 64 * mebibyte;
const leastTmpBytes = 64 * 1024;

/** The limits of an agent's cells; what its manifest leaves open is as the contract says. */
export function limitsOf({ resources, maxIoBytes }: AgentSpec): CellLimits {
  return {
    memoryBytes: Number(resources?.memoryBytes ?? 0n) || 128 * mebibyte,
    cpuMillis: resources?.cpuMillis || 1_000,
    pids: resources?.pids || 64,
    diskBytes: Number(resources?.diskBytes ?? 0n) || 64 * mebibyte,
    wallTimeMs: resources?.wallTimeMs || 300_000,
    stopGraceMs: resources?.stopGraceMs || 5_000,
    ioBytes: maxIoBytes || mebibyte,
  };
}

/** A file system in memory. */
export interface MemoryFolder {
  path: string;
  sizeBytes: number;
}

/**
 * The writable file systems of a cell, `/dev/shm` aside, and why they do not fit. They share `disk_bytes`: those with a size get
 * it, and what is left is for `/tmp` and for the volumes that the image declares, in equal parts. An image's volumes would else
 * be folders on the engine's disk without any limit.
 */
export function memoryFolders(
  spec: AgentSpec,
  imageVolumes: readonly string[],
): { folders: MemoryFolder[]; violations: FieldViolation[] } {
  const named = spec.tmpfs.map(({ path, sizeBytes }) => ({ path, sizeBytes: Number(sizeBytes) }));
  const taken = new Set([...named, ...spec.mounts].map(({ path }) => path));
  const others = ["/tmp", ...imageVolumes].filter((path) => !taken.has(path));
  const open = [...named.filter(({ sizeBytes }) => sizeBytes === 0).map(({ path }) => path), ...others];
  const sized = named.filter(({ sizeBytes }) => sizeBytes > 0);
  const { diskBytes } = limitsOf(spec);
  const left = diskBytes - shmBytes - sized.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const share = Math.min(usualTmpBytes, Math.floor(left / Math.max(open.length, 1) / 4096) * 4096);
  const folders = [...sized, ...open.map((path) => ({ path, sizeBytes: Math.max(share, leastTmpBytes) }))];
  if (left >= 0 && (open.length === 0 || share >= leastTmpBytes)) return { folders, violations: [] };
  const needed = diskBytes - left + open.length * leastTmpBytes;
  const message =
    `${diskBytes} bytes are less than its writable file systems need together, which is at least ${needed} ` +
    `(${[...folders.map(({ path }) => path), "/dev/shm"].join(", ")})`;
  return { folders, violations: [{ field: "spec.resources.disk_bytes", message }] };
}
