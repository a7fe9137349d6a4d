import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The first process of a container: its id and its start, never a bare pid, which the kernel gives again to another. */
export interface Owner {
  readonly containerId: string;
  readonly pid: number;
  /** When it started, in the kernel's ticks since boot: a number too large for some languages, so text. */
  readonly startTicks: string;
}

/**
 * Finds the first process of each container that runs, in one pass over `/proc`: the oldest that lives in a control group named
 * by the container's id, as Docker (`/docker/<id>`, `docker-<id>.scope`, below any parent) and Podman (`libpod-<id>.scope`) name
 * it. A container that is just being started has one before its program begins.
 */
export function findOwners(containerIds: ReadonlySet<string>, proc = "/proc"): Map<string, Owner> {
  const found = new Map<string, Owner>();
  if (containerIds.size === 0) return found;
  for (const name of readdirSync(proc)) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const containerId = containerOf(read(proc, pid, "cgroup"), containerIds);
    if (containerId === undefined) continue;
    const startTicks = startOf(pid, proc);
    if (startTicks === undefined) continue;
    const owner = { containerId, pid, startTicks };
    const other = found.get(containerId);
    if (other === undefined || isOlder(owner, other)) found.set(containerId, owner);
  }
  return found;
}

/** Whether the process still lives, and is not another one with its pid. */
export function isAlive({ pid, startTicks }: Owner, proc = "/proc"): boolean {
  return startOf(pid, proc) === startTicks;
}

/**
 * The container that a process belongs to: the outermost one asked for, because whoever owns a control group may make others of
 * any name below it. Podman's watcher of a container, which is older than the container, has the id in its group's name too.
 */
function containerOf(cgroup: string, containerIds: ReadonlySet<string>): string | undefined {
  for (const part of cgroup.split(/[/\n]/)) {
    const id = /^(?:.*-)?([0-9a-f]{64})(?:\.scope)?$/.exec(part)?.[1];
    if (id !== undefined && containerIds.has(id) && !part.includes("conmon-")) return id;
  }
  return undefined;
}

/** The process that started it, or took it over when that one ended; undefined when it has ended. */
export function parentOf({ pid }: Owner, proc = "/proc"): string | undefined {
  return fieldsOf(pid, proc)[fields.parent];
}

function startOf(pid: number, proc: string): string | undefined {
  return fieldsOf(pid, proc)[fields.start];
}

/** Where stat has what, counted from behind the name. */
const fields = { state: 0, parent: 1, start: 19 } as const;

/** What stat says of a process that lives. One that has ended, and at whose end nobody has looked yet (a zombie), has nothing. */
function fieldsOf(pid: number, proc: string): string[] {
  const stat = read(proc, pid, "stat");
  // The name stands in parentheses and may hold any character, also a parenthesis (proc(5)).
  const all = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return /[ZXx]/.test(all[fields.state] ?? "X") ? [] : all;
}

/** Of those that started in one tick, the lower pid is the older, but for the moment in which pids begin anew. */
function isOlder(a: Owner, b: Owner): boolean {
  const [aStart, bStart] = [BigInt(a.startTicks), BigInt(b.startTicks)];
  return aStart < bStart || (aStart === bStart && a.pid < b.pid);
}

function read(proc: string, pid: number, file: string): string {
  try {
    return readFileSync(join(proc, String(pid), file), "utf8");
  } catch {
    return ""; // It ended since the folder was listed.
  }
}
