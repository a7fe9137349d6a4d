import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Measured, Usage } from "./usage.ts";

/** Where the kernel tells of processes and of groups of them. */
interface Kernel {
  proc: string;
  cgroup: string;
}

const theKernel: Kernel = { proc: "/proc", cgroup: "/sys/fs/cgroup" };

/**
 * What a container uses by the kernel's own files: a fraction of a millisecond, where an engine takes up to a second, and with
 * the traffic of vNICs, of which an engine does not know. Undefined where this program does not see the container's processes,
 * as from within a container of its own: then the engine has to be asked.
 */
export function kernelUsage(
  one: Measured,
  now: { elapsedMs: number; wallMs: number },
  { proc, cgroup }: Kernel = theKernel,
): Usage | undefined {
  if (one.pid === 0) return undefined;
  try {
    const groups = parseGroups(readFileSync(join(proc, `${one.pid}/cgroup`), "utf8"));
    const { memory = "", cpuacct = "", blkio = "", pids = "", "": unified = "" } = groups;
    const isV1 = memory !== "";
    // A process id may be another process's by now, or one of another namespace.
    if (!(isV1 ? memory : unified).includes(one.id)) return undefined;
    const file = (controller: string, path: string, name: string) =>
      readFileSync(join(cgroup, isV1 ? controller : "", isV1 ? path : unified, name), "utf8");
    const memoryFile = (name: string) => file("memory", memory, name);
    const used = Number(memoryFile(isV1 ? "memory.usage_in_bytes" : "memory.current"));
    const inactive = figureOf(memoryFile("memory.stat"), isV1 ? "total_inactive_file" : "inactive_file");
    return {
      elapsedMs: now.elapsedMs,
      cpuNanos: isV1
        ? Number(file("cpuacct", cpuacct, "cpuacct.usage"))
        : figureOf(file("", "", "cpu.stat"), "usage_usec") * 1000,
      memoryUsedBytes: Math.max(0, used - inactive),
      ...parseTraffic(readFileSync(join(proc, `${one.pid}/net/dev`), "utf8")),
      ...(isV1
        ? parseBlocksV1(file("blkio", blkio, "blkio.throttle.io_service_bytes_recursive"))
        : parseBlocksV2(file("", "", "io.stat"))),
      pids: Number(file("pids", pids, "pids.current")),
      uptimeSeconds: (now.wallMs - Date.parse(one.startedAt)) / 1000,
      ...{ memoryLimitBytes: one.memoryLimitBytes, restarts: one.restarts, oomKills: one.oomKills },
    };
  } catch {
    return undefined; // It ended just now, or these files are not to be seen from here.
  }
}

/** Paths by controller, `12:cpu,cpuacct:/docker/1f...`; that of cgroup v2, `0::/...`, has the name "". */
export function parseGroups(text: string): Record<string, string> {
  const groups: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of controllers?.split(",") ?? []) groups[controller] = path ?? "";
  }
  return groups;
}

/** A figure of a file that has one on each line, behind its name. */
function figureOf(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

/** All links but loopback: the bridge that it shares with the node, and its vNICs. */
export function parseTraffic(text: string): Pick<Usage, "receivedBytes" | "sentBytes"> {
  const sum = { receivedBytes: 0, sentBytes: 0 };
  for (const line of text.split("\n").slice(2)) {
    const colon = line.lastIndexOf(":");
    if (colon < 0 || line.slice(0, colon).trim() === "lo") continue;
    const figures = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    sum.receivedBytes += Number(figures[0]);
    sum.sentBytes += Number(figures[8]);
  }
  return sum;
}

type Blocks = Pick<Usage, "blockReadBytes" | "blockWrittenBytes">;

/** Lines such as `8:0 Read 4096`, of all disks. */
export function parseBlocksV1(text: string): Blocks {
  return { blockReadBytes: sumOf(text, / Read (\d+)$/gm), blockWrittenBytes: sumOf(text, / Write (\d+)$/gm) };
}

/** Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 ...`, of all disks. */
function parseBlocksV2(text: string): Blocks {
  return { blockReadBytes: sumOf(text, / rbytes=(\d+)/g), blockWrittenBytes: sumOf(text, / wbytes=(\d+)/g) };
}

function sumOf(text: string, figure: RegExp): number {
  return [...text.matchAll(figure)].reduce((sum, [, value]) => sum + Number(value), 0);
}
