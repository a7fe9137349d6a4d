import { readFile } from "node:fs/promises";

/** USER_HZ of Linux on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** User and system time of a process so far, in milliseconds, in steps of 10. */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // Fields 14 and 15, counted behind the name, which may hold spaces (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}
