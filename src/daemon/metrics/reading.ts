import { readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { parseLoadavg, parseMeminfo, parseNetDev, parseStat, parseUptime, type Reading } from "./sample.ts";

/** Where the measured things are. */
export interface Sources {
  /** Usually `/proc`. */
  proc: string;
  /** The folder of the daemon's state: its file system is the disk that is measured. Must be a local one. */
  stateFolder: string;
  /** Names of the interfaces whose traffic counts. May take milliseconds where there are many interfaces. */
  trafficInterfaces: () => ReadonlySet<string>;
}

/** Which interfaces count is asked again after this time, in milliseconds, and when an interface came or went. */
const lookAgainMs = 60_000;

/**
 * Makes the function that reads everything now, given the monotonic time in milliseconds. It is synchronous: the kernel
 * answers from memory, in a tenth of a millisecond altogether.
 */
export function readingsOf({
  proc,
  stateFolder,
  trafficInterfaces,
}: Sources): (elapsedMs: number) => Reading {
  const read = (file: string) => readFileSync(join(proc, file), "utf8");
  let looked: { atMs: number; names: string; counted: ReadonlySet<string> } | undefined;
  return (elapsedMs) => {
    const { blocks, bfree, bsize } = statfsSync(stateFolder);
    const traffic = [...parseNetDev(read("net/dev"))];
    const names = traffic.map(([name]) => name).join("\n");
    if (names !== looked?.names || elapsedMs - looked.atMs >= lookAgainMs) {
      looked = { atMs: elapsedMs, names, counted: trafficInterfaces() };
    }
    const { counted } = looked;
    return {
      elapsedMs,
      cpu: parseStat(read("stat")),
      memory: parseMeminfo(read("meminfo")),
      disk: { totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize },
      traffic: new Map(traffic.filter(([name]) => counted.has(name))),
      uptimeSeconds: parseUptime(read("uptime")),
      load1m: parseLoadavg(read("loadavg")),
    };
  };
}
