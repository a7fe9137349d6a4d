import { constants } from "node:fs";
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { failure } from "../../base/failure.ts";
import { ended } from "./netns.ts";
import { isAlive, type Owner } from "./owner.ts";

const { O_DIRECTORY, O_RDONLY } = constants;

/**
 * A container's root folder, open. Who the process is is looked at afterwards, so that a pid that was given again never leads
 * into another's. @throws {Failure} not_found: the container does not run any more. unavailable: it is just being started, and
 * its process still sees the node's files: `hasOwnRoot` says when that is over. @throws {Error} of the kernel.
 */
export async function openRoot(owner: Owner): Promise<FileHandle> {
  const root = await open(`/proc/${owner.pid}/root`, O_RDONLY | O_DIRECTORY);
  try {
    if (!isAlive(owner)) throw ended(owner);
    if (!(await isRootOfOthers(root, owner))) return root;
    throw failure("unavailable", "the container is just being started: ask again in a moment");
  } catch (thrown) {
    await root.close();
    throw thrown;
  }
}

/** Whether a container's process has files of its own by now: engines give it its network before that. */
export async function hasOwnRoot(owner: Owner): Promise<boolean> {
  const root = await open(`/proc/${owner.pid}/root`, O_RDONLY | O_DIRECTORY).catch(() => undefined);
  if (!root) return false;
  try {
    return !(await isRootOfOthers(root, owner)) && isAlive(owner);
  } finally {
    await root.close();
  }
}

/** A descriptor, unlike a path, leads to the same folder whatever the container renames meanwhile. */
export function below(folder: FileHandle, name: string): string {
  return `/proc/${process.pid}/fd/${folder.fd}/${name}`;
}

/**
 * Whether a root folder is that of who started the container, of the machine, or netmon's own. A container that is being started
 * has its starter's until its own is in place, and what is written there is written into the node's own files.
 */
async function isRootOfOthers(root: FileHandle, { pid }: Owner): Promise<boolean> {
  const { dev, ino } = await root.stat({ bigint: true });
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const starter = /^PPid:\s+([1-9]\d*)$/m.exec(status)?.[1] ?? "1";
  const others = await Promise.all(
    [starter, "1", "self"].map((one) => stat(`/proc/${one}/root`, { bigint: true }).catch(() => undefined)),
  );
  return others.some((one) => one?.dev === dev && one.ino === ino);
}
