import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "./system-code.ts";

/**
 * Makes a folder and those above it; one that is there stays as it is. Not with mkdir's `recursive`: below a folder that takes
 * nothing and says ENOENT, as /proc does, Node 24 tries for ever.
 */
export function makeFolder(path: string, mode: number): void {
  const above = dirname(path);
  if (!existsSync(above)) makeFolder(above, mode);
  try {
    mkdirSync(path, { mode });
  } catch (thrown) {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw thrown;
  }
}

/**
 * Writes a file that matters: whole beside the old one, synced, renamed, directory synced. Whoever reads it sees the old
 * content or the new, never half of either.
 */
export async function writeWhole(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const folder = dirname(path);
  makeFolder(folder, 0o700);
  const draft = join(folder, `.${randomUUID()}.draft`);
  try {
    const file = await open(draft, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (thrown) {
    await unlink(draft).catch(() => {});
    throw thrown;
  }
  await syncFolder(folder);
}

/** Removes a file that matters: gone for good when it resolves. One that is not there is the same success. */
export async function removeWhole(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (thrown) {
    if (systemCode(thrown) !== "ENOENT") throw thrown;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
