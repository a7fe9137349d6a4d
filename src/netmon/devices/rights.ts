import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../base/failure.ts";
import type { DeviceNumber } from "../../wire/device-path.ts";
import { isAlive, type Owner } from "../namespaces/index.ts";
import type { Access, Group, Rule } from "./group.ts";
import { groupOfVersion1 } from "./group-v1.ts";
import { groupOfVersion2 } from "./group-v2.ts";

/**
 * Finds the control group of a container that runs. Netmon must see the machine's whole tree of them.
 * @throws {Failure} not_found: the container does not run any more. denied: its group is not seen from here.
 */
export async function findGroup(owner: Owner, signal: AbortSignal): Promise<Group> {
  const [groups = "", mounts = ""] = await Promise.all(
    [`/proc/${owner.pid}/cgroup`, "/proc/self/mountinfo"].map((path) =>
      readFile(path, "utf8").catch(() => ""),
    ),
  );
  if (!isAlive(owner)) throw failure("not_found", "its container does not run any more");
  const { version, folders } = groupFolders(groups, mounts, owner.containerId);
  const [first] = folders;
  if (first === undefined) {
    const sentence =
      "netmon does not see the control group of its container: give it /sys/fs/cgroup of the node";
    throw failure("denied", sentence);
  }
  return version === 1 ? groupOfVersion1(first) : groupOfVersion2(folders, signal);
}

/**
 * Where the group is, by what the kernel says of a process and of mounts: the container's own, and those below in which its first
 * process lies. Devices are with version 1 where that has them. None when it is not seen.
 */
export function groupFolders(
  groups: string,
  mounts: string,
  containerId: string,
): { version: 1 | 2; folders: string[] } {
  const first = /^\d+:(?:[^:]*,)?devices(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1];
  const version = first === undefined ? 2 : 1;
  const parts = (first ?? /^0::(\/.*)$/m.exec(groups)?.[1] ?? "").split("/");
  const own = parts.findIndex((part) => part.includes(containerId));
  const hierarchy = own < 0 ? undefined : hierarchyOf(version, mounts, parts.slice(0, own + 1).join("/"));
  if (!hierarchy) return { version, folders: [] };
  const ends = Array.from({ length: parts.length - own }, (_, more) => own + 1 + more);
  const below = (end: number) => parts.slice(0, end).join("/").slice(hierarchy.root.length);
  return { version, folders: ends.map((end) => join(hierarchy.at, below(end))) };
}

/** Where the tree of groups that holds a group is mounted, and which part of it: by a line of mountinfo (proc(5)). */
function hierarchyOf(
  version: 1 | 2,
  mounts: string,
  group: string,
): { root: string; at: string } | undefined {
  for (const line of mounts.split("\n")) {
    const [, root = "", at = "", kind = "", options = ""] =
      /^\d+ \d+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
    const hasDevices =
      version === 2 ? kind === "cgroup2" : kind === "cgroup" && options.split(",").includes("devices");
    const top = root === "/" ? "" : root;
    if (hasDevices && group.startsWith(`${top}/`)) return { root: top, at };
  }
  return undefined;
}

/** Whether the rules let a device be used like this. */
export function isAllowed(rules: readonly Rule[], number: DeviceNumber, access: Access): boolean {
  const has = (all: string, one: string | number) => all === "*" || all === String(one);
  return Array.from(access).every((letter) =>
    rules.some(
      (rule) =>
        (rule.kind === "a" || rule.kind === number.kind) &&
        has(rule.major, number.major) &&
        has(rule.minor, number.minor) &&
        rule.access.includes(letter),
    ),
  );
}
