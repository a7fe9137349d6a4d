import { readFile } from "node:fs/promises";

/** What a process keeps in memory, by the kernel. */
export async function memoryOf(pid: number): Promise<{ residentMb: number; anonymousMb: number }> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  const mb = (name: string) => (Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]) * 1024) / 1e6;
  return { residentMb: mb("VmRSS"), anonymousMb: mb("RssAnon") };
}
