import { open, rename } from "node:fs/promises";

/** Writes a file that only its owner may read, so that a crash leaves the old content or the new, never a part. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const beside = `${path}.new`;
  {
    await using file = await open(beside, "w", 0o600);
    await file.writeFile(content);
    await file.sync();
  }
  await rename(beside, path);
}
