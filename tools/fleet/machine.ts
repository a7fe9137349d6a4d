import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { filesOf, type Machine } from "./room.ts";

/** What this machine has: memory that could be had, and open files of a process that asks for more. */
export async function thisMachine(nodes: number): Promise<Machine> {
  const text = await readFile("/proc/meminfo", "utf8");
  const availableKb = Number(/^MemAvailable:\s+(\d+)/m.exec(text)?.[1]);
  const asked = `ulimit -n ${filesOf(nodes)} 2>/dev/null; ulimit -n`;
  const { stdout } = await promisify(execFile)("sh", ["-c", asked]);
  return { availableKb, files: stdout.trim() === "unlimited" ? Number.POSITIVE_INFINITY : Number(stdout) };
}
