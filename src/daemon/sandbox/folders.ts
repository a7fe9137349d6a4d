import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { ProvidedMount } from "./cell.ts";
import { isWithin, ownFolder } from "./check.ts";
import { firstProcess } from "./first-process.ts";

/**
 * Makes the folder of a cell, with what every cell has in it. Its program sees it read-only as /run/orchestrator and is a user of its
 * own there; others of the node do not get this far, because the folder above is closed to them.
 */
export async function makeCellFolder(folder: string, { script }: Pick<AgentSpec, "script">): Promise<void> {
  await mkdir(folder, { recursive: true });
  await open(folder);
  await writeFile(join(folder, "init"), firstProcess());
  await open(join(folder, "init"));
  if (script === "") return;
  await mkdir(join(folder, "agent"));
  await open(join(folder, "agent"));
  await writeFile(join(folder, "agent/script"), script);
  await open(join(folder, "agent/script"));
}

/** Places to mount upon, for what is mounted into the cell's own folder: that is read-only, so the engine cannot make them. */
export async function makePlaces(folder: string, mounts: readonly ProvidedMount[]): Promise<void> {
  for (const { target } of mounts.filter((one) => isWithin(one.target, ownFolder))) {
    const place = join(folder, relative(ownFolder, target));
    await mkdir(place, { recursive: true });
    await open(place);
  }
}

/** Removes the folder of a cell. One that is gone is the same success. */
export async function removeCellFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Ids of the cells that have a folder. */
export async function cellFolders(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

/** Whatever the umask of this program is. */
async function open(path: string): Promise<void> {
  await chmod(path, 0o755);
}
