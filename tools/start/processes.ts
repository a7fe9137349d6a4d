import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

export interface Running {
  pid: number;
  words: string[];
  folder: string;
}

/** The processes of this machine whose files we may see, other than this one and those that lead to it. */
export async function processes(): Promise<Running[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const own = await ancestors(process.pid);
  const found = await Promise.all(pids.filter((pid) => !own.has(pid)).map(look));
  return found.filter((one) => one !== undefined);
}

/** Whether a process still runs; a zombie does not. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
}

/** Asks a process to end and waits; one that does not is killed after `patienceMs`. */
export async function end(pid: number, patienceMs: number): Promise<void> {
  send(pid, "SIGTERM");
  const deadline = performance.now() + patienceMs;
  while (await isAlive(pid)) {
    if (performance.now() > deadline) send(pid, "SIGKILL");
    await sleep(25);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

async function look(pid: number): Promise<Running | undefined> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (line === "" || !(await isAlive(pid))) return undefined;
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => "");
  return { pid, words: line.split("\0").slice(0, -1), folder };
}

async function ancestors(pid: number): Promise<Set<number>> {
  const found = new Set<number>();
  for (let at = pid; at > 0 && !found.has(at); ) {
    found.add(at);
    const stat = await readFile(`/proc/${at}/stat`, "utf8").catch(() => "");
    at = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
  }
  return found;
}
