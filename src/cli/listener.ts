import { readdir, readFile, readlink, realpath } from "node:fs/promises";

/** A process that listens on a unix socket, and the systemd unit that runs it, if one does. */
export interface Listener {
  pid: number;
  unit: string | undefined;
}

/**
 * Who listens on a unix socket of this machine, by the kernel's own tables: /proc/net/unix has the socket's inode by its path,
 * and the process has it open. Undefined when nobody does, or nobody whose files this user may see (another user's process, or
 * one in a container with a network of its own).
 */
export async function listenerOf(path: string): Promise<Listener | undefined> {
  const paths = new Set([path, await realpath(path).catch(() => path)]);
  const sockets = await readFile("/proc/net/unix", "utf8").catch(() => "");
  // Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 means that it accepts connections.
  const listening = sockets
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find(([, , , flags, , , , at]) => flags === "00010000" && at !== undefined && paths.has(at));
  const inode = listening?.[6];
  if (inode === undefined) return undefined;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    if (await holds(pid, `socket:[${inode}]`)) return { pid: Number(pid), unit: await unitOf(pid) };
  }
  return undefined;
}

async function holds(pid: string, target: string): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const targets = await Promise.all(files.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
  return targets.includes(target);
}

/** Only a unit made for it: whoever starts a daemon by hand is in the unit of a login or of a terminal. */
async function unitOf(pid: string): Promise<string | undefined> {
  const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return /\/(orchestrator-[a-z]+\.service)(?:\n|$)/.exec(groups)?.[1];
}
