import { readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { parseLoadavg, parseMeminfo, parseNetDev, parseStat, parseUptime, type Reading } from "./sample.ts";

/** Where the measured things are. */
export interface Sources {
  /** Usually `/proc`. */
  proc: string;
  /** The folder of the daemon's state: its file system is the disk that is measured. Must be a local one. */
  stateFolder: string;
  /** Names of the interfaces whose traffic counts, asked at each reading. */
  trafficInterfaces: () => ReadonlySet<string>;
}

/** Reads everything now. Synchronous: the kernel answers from memory, in a tenth of a millisecond altogether. */
export function takeReading(sources: Sources, elapsedMs: number): Reading {
  const read = (file: string) => readFileSync(join(sources.proc, file), "utf8");
  const { blocks, bfree, bsize } = statfsSync(sources.stateFolder);
  const counted = sources.trafficInterfaces();
  return {
    elapsedMs,
    cpu: parseStat(read("stat")),
    memory: parseMeminfo(read("meminfo")),
    disk: { totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize },
    traffic: new Map([...parseNetDev(read("net/dev"))].filter(([name]) => counted.has(name))),
    uptimeSeconds: parseUptime(read("uptime")),
    load1m: parseLoadavg(read("loadavg")),
  };
}
