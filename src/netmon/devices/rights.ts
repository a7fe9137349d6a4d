import { constants } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { type DeviceNumber, numberText } from "../../wire/device-path.ts";
import { isAlive, type Owner } from "../namespaces/index.ts";

/** What a container may do with a device: `r` or `rw`. To make nodes of it is never among it. */
export type Access = "r" | "rw";

/** A line of a group's list: the kernel's own words, `*` for all. */
export interface Rule {
  readonly kind: string;
  readonly major: string;
  readonly minor: string;
  readonly access: string;
}

/** A container's device control group, of version 1. */
export interface Group {
  readonly folder: string;
}

/**
 * Finds the device control group of a container that runs. Netmon must see the machine's whole tree of them.
 * @throws {Failure} unsupported: control groups of version 2 keep devices by a program in the kernel, which netmon cannot change.
 * not_found: the container does not run any more.
 */
export async function findGroup(owner: Owner): Promise<Group> {
  const [groups, mounts] = await Promise.all(
    [`/proc/${owner.pid}/cgroup`, "/proc/self/mountinfo"].map((path) =>
      readFile(path, "utf8").catch(() => ""),
    ),
  );
  if (!isAlive(owner)) throw failure("not_found", "its container does not run any more");
  const folder = groupFolder(groups ?? "", mounts ?? "", owner.containerId);
  if (folder !== undefined) return { folder };
  if (isVersion1(groups ?? "")) {
    const sentence =
      "netmon does not see the device control group of its container: give it /sys/fs/cgroup of the node";
    throw failure("denied", sentence);
  }
  throw failure(
    "unsupported",
    "this node keeps control groups of version 2, in which a container that runs can be given no device: start the machine with systemd.unified_cgroup_hierarchy=0",
  );
}

/**
 * Where the group is, by what the kernel says of a process and of mounts; undefined when there is none of version 1. It is the
 * container's own: whoever is in it may have made others below.
 */
export function groupFolder(groups: string, mounts: string, containerId: string): string | undefined {
  const path = /^\d+:(?:[^:]*,)?devices(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1];
  if (path === undefined) return undefined;
  const parts = path.split("/");
  const last = parts.findIndex((part) => part.includes(containerId));
  const own = last < 0 ? undefined : parts.slice(0, last + 1).join("/");
  for (const line of mounts.split("\n")) {
    const [, root = "", at = "", options = ""] =
      /^\d+ \d+ \S+ (\S+) (\S+) .* - cgroup \S+ (\S+)$/.exec(line) ?? [];
    if (own === undefined || !options.split(",").includes("devices")) continue;
    const top = root === "/" ? "" : root;
    if (own.startsWith(`${top}/`)) return join(at, own.slice(top.length));
  }
  return undefined;
}

function isVersion1(groups: string): boolean {
  return /^\d+:(?:[^:]*,)?devices[,:]/m.test(groups);
}

/** What the group's members may use. @throws {Failure} as `change`. */
export async function readRules({ folder }: Group): Promise<Rule[]> {
  const text = await readFile(join(folder, "devices.list"), "utf8").catch(refused);
  return rulesIn(text);
}

/** As the kernel lists them. */
export function rulesIn(text: string): Rule[] {
  return [...text.matchAll(/^([abc]) (\*|\d+):(\*|\d+) ([rwm]+)$/gm)].map(
    ([, kind = "", major = "", minor = "", access = ""]) => ({ kind, major, minor, access }),
  );
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

/** Lets the members use one device, or no more. @throws {Failure} denied: netmon may not. not_found: the group is gone. */
export async function change(
  { folder }: Group,
  which: "allow" | "deny",
  number: DeviceNumber,
  access: Access,
): Promise<void> {
  const rule = `${numberText(number)} ${access}`;
  await writeFile(join(folder, `devices.${which}`), rule, { flag: constants.O_WRONLY }).catch(refused);
}

function refused(cause: unknown): never {
  const code = systemCode(cause);
  if (code === "ENOENT" || code === "ENODEV")
    throw failure("not_found", "its container does not run any more", { cause });
  const sentence = `the right to use it cannot be given: netmon needs SYS_ADMIN, and /sys/fs/cgroup of the node to write to (${code})`;
  throw failure("denied", sentence, { cause });
}
