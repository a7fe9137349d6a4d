import { chmod, chown, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";

/**
 * Makes the folder that one cell sees. Everybody may enter it, because its program is a user of its own; nobody of this machine can
 * reach it but root and the daemon, because the folder above is closed.
 */
export async function makeLentFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  await chmod(path, 0o755); // The daemon's umask closed it.
}

/**
 * Puts a secret into the folder of a cell, or a new value in its place: its program sees the old one or the new one, at once and
 * whole. It is the program's own file and read-only; where the daemon may not give it away, it is readable by all who see it.
 */
export async function putLentFile(folder: string, name: string, value: Uint8Array, userId: number) {
  const draft = join(folder, `.${name}.draft`);
  await rm(draft, { force: true }); // Of a life that was cut off.
  try {
    await using file = await open(draft, "wx", 0o400);
    await file.writeFile(value);
    await file.chmod((await isGiven(draft, userId)) ? 0o400 : 0o444);
    await rename(draft, join(folder, name));
  } catch (thrown) {
    await rm(draft, { force: true });
    if (systemCode(thrown) !== "ENOSPC") throw thrown;
    const sentence =
      "the memory that secrets are lent from is full: make the file system at credentials.lent_folder larger";
    throw failure("exhausted", sentence, { cause: thrown });
  }
}

export async function removeLentFile(folder: string, name: string): Promise<void> {
  await rm(join(folder, name), { force: true });
}

/** Folders of cells. */
export async function lentFolders(path: string): Promise<string[]> {
  return await readdir(path);
}

async function isGiven(path: string, userId: number): Promise<boolean> {
  try {
    await chown(path, userId, userId);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === "EPERM" || systemCode(thrown) === "EINVAL") return false;
    throw thrown;
  }
}
