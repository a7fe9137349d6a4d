import { access, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../engine/index.ts";

/** The file system of the engine's data. */
export interface EngineDisk {
  /** The engine's folder on it. */
  path: string;
  /** As `df` shows it. */
  usedPercent: number;
  freeBytes: number;
}

export interface DiskLimits {
  /** `images.clean_above_percent` and `images.refuse_above_percent`. */
  cleanAbovePercent: number;
  refuseAbovePercent: number;
}

/** What a disk asks for before a pull. One that cannot be seen asks for nothing. */
export function judgeDisk(
  disk: Pick<EngineDisk, "usedPercent"> | undefined,
  { cleanAbovePercent, refuseAbovePercent }: DiskLimits,
): "fine" | "clean" | "refuse" {
  if (!disk) return "fine";
  if (disk.usedPercent > refuseAbovePercent) return "refuse";
  return disk.usedPercent > cleanAbovePercent ? "clean" : "fine";
}

/** The disk of the engine's data; undefined when this daemon cannot see it: from a container, or over the network. */
export async function engineDisk(engine: Engine, signal: AbortSignal): Promise<EngineDisk | undefined> {
  if (!engine.host.startsWith("unix:")) return undefined;
  const { DockerRootDir: path } = await engine.call(
    "tell where it keeps its data",
    signal,
    (docker) => docker.info() as Promise<{ DockerRootDir?: string }>, // The library's type is `any`.
  );
  if (!path || !(await isEngines(path))) return undefined;
  try {
    const { blocks, bfree, bavail, bsize } = await statfs(path);
    const used = blocks - bfree;
    return { path, usedPercent: (100 * used) / Math.max(1, used + bavail), freeBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}

/** Whether it is the engine's folder, and not one of the same path in a container of ours. */
async function isEngines(path: string): Promise<boolean> {
  try {
    await access(join(path, "containers"));
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EACCES"; // Only the engine's is closed to us.
  }
}
