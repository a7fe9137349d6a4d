import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseGroups } from "../usage/index.ts";

/** What the kernel counted of a cell in all. */
export interface Counted {
  cpuMs: number;
  memoryPeakBytes: number;
  /** Times that a process was killed for want of memory. */
  oomKills: number;
  /** Times that a process could not be made. */
  pidsRefused: number;
}

/** Where the control groups of containers are, learned from one of them. */
export class ControlGroups {
  readonly #roots: { proc: string; cgroup: string };
  #places: Readonly<Record<string, string>> | undefined;

  constructor(roots = { proc: "/proc", cgroup: "/sys/fs/cgroup" }) {
    this.#roots = roots;
  }

  /** Learns from a container that runs where the engine puts all of them. */
  learn(containerId: string, pid: number): void {
    try {
      const groups = parseGroups(readFileSync(join(this.#roots.proc, `${pid}/cgroup`), "utf8"));
      const places = Object.entries(groups).filter(([, path]) => path.includes(containerId));
      if (places.length === 0) return; // Another process by now, or another namespace.
      this.#places = Object.fromEntries(places.map(([name, path]) => [name, path.replace(containerId, "*")]));
    } catch {
      // Not to be seen from here.
    }
  }

  /**
   * What a container used. An engine keeps its groups for some milliseconds after its last process has ended, and these files are
   * the only place where a total is; undefined when they are gone, or not to be seen from here.
   */
  read(containerId: string): Counted | undefined {
    const places = this.#places;
    if (!places) return undefined;
    const isV1 = "memory" in places;
    const file = (controller: string, name: string) => {
      const path = (places[isV1 ? controller : ""] ?? "").replace("*", containerId);
      return readFileSync(join(this.#roots.cgroup, isV1 ? controller : "", path, name), "utf8");
    };
    try {
      return isV1
        ? {
            cpuMs: Math.round(Number(file("cpuacct", "cpuacct.usage")) / 1e6),
            memoryPeakBytes: Number(file("memory", "memory.max_usage_in_bytes")),
            oomKills: figure(file("memory", "memory.oom_control"), "oom_kill"),
            pidsRefused: figure(file("pids", "pids.events"), "max"),
          }
        : {
            cpuMs: Math.round(figure(file("", "cpu.stat"), "usage_usec") / 1e3),
            memoryPeakBytes: Number(orNothing(() => file("", "memory.peak"))), // Since Linux 5.19.
            oomKills: figure(file("", "memory.events"), "oom_kill"),
            pidsRefused: figure(file("", "pids.events"), "max"),
          };
    } catch {
      return undefined;
    }
  }
}

function figure(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

function orNothing(read: () => string): string {
  try {
    return read();
  } catch {
    return "0";
  }
}
