import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../base/system-code.ts";

/** A device of the kernel. */
export interface DeviceNumber {
  /** Of characters, or of blocks. */
  readonly kind: "c" | "b";
  readonly major: number;
  readonly minor: number;
}

/** What a path below /dev leads to. */
export type Found = (
  | { readonly is: "there"; readonly realPath: string; readonly number: DeviceNumber }
  | { readonly is: "absent" }
  /** `reason` goes on a sentence that begins with the path. */
  | { readonly is: "wrong"; readonly reason: string }
) & {
  /** The folders that were looked into: with no change in one of them, the answer stays. */
  readonly folders: readonly string[];
};

/** As the kernel itself does. */
const maxLinks = 40;

/**
 * Follows a path below /dev to the device at its end, link by link, because each step must stay below /dev: what is there may be
 * given to a container. `folder` is where the node's /dev is.
 */
export function findDevice(nodePath: string, folder = "/dev"): Found {
  const folders: string[] = [];
  let rest = partsOf(nodePath);
  let at: string[] = [];
  for (let links = 0; ; ) {
    const [name, ...after] = rest;
    if (name === undefined) return { is: "wrong", reason: "leads to a folder", folders };
    if (name === "..") {
      if (at.length === 0) return leadsOut("/", folders);
      at = at.slice(0, -1);
      rest = after;
      continue;
    }
    const above = join(folder, ...at);
    if (!folders.includes(above)) folders.push(above);
    const path = join(above, name);
    const shown = `/dev/${[...at, name].join("/")}`;
    try {
      const stat = lstatSync(path, { bigint: true });
      if (stat.isSymbolicLink()) {
        const target = readlinkSync(path);
        if (++links > maxLinks) return { is: "wrong", reason: "leads in a circle", folders };
        if (target.startsWith("/")) {
          if (!target.startsWith("/dev/")) return leadsOut(target, folders);
          at = [];
        }
        rest = [...partsOf(target), ...after];
      } else if (stat.isDirectory()) {
        at = [...at, name];
        rest = after;
      } else if (after.length > 0) {
        return { is: "wrong", reason: `leads through ${shown}, which is no folder`, folders };
      } else if (stat.isCharacterDevice() || stat.isBlockDevice()) {
        const kind = stat.isBlockDevice() ? "b" : "c";
        return { is: "there", realPath: shown, number: { kind, ...numberOf(stat.rdev) }, folders };
      } else {
        return { is: "wrong", reason: `leads to ${shown}, which is no device`, folders };
      }
    } catch (thrown) {
      const code = systemCode(thrown);
      if (code === "ENOENT" || code === "ENOTDIR") return { is: "absent", folders };
      return { is: "wrong", reason: `cannot be followed at ${shown}: the kernel says ${code}`, folders };
    }
  }
}

/** As people and control groups write it: `c 188:0`. */
export function numberText({ kind, major, minor }: DeviceNumber): string {
  return `${kind} ${major}:${minor}`;
}

/** The two halves of a number as stat(2) has it: each lies in two pieces. */
export function numberOf(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

/** Of a path below /dev, or of a link. */
function partsOf(path: string): string[] {
  return path
    .replace(/^\/dev(?=\/)/, "")
    .split("/")
    .filter((part) => part !== "" && part !== ".");
}

function leadsOut(target: string, folders: readonly string[]): Found {
  return { is: "wrong", reason: `leads to ${target}, which is not below /dev`, folders };
}
