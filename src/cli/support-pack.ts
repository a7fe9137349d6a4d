import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { failure } from "../base/failure.ts";
import { systemCode } from "../base/system-code.ts";

/** A file of an archive. */
export interface Packed {
  name: string;
  content: Buffer;
}

/**
 * Writes files into a new `.tar.gz` that only its user may read. @throws {Failure} conflict: there is such a file; unavailable: it
 * cannot be written, and nothing of it is left.
 */
export async function packFiles(path: string, files: readonly Packed[], nowMs: number): Promise<void> {
  const tar = pack();
  for (const { name, content } of files) tar.entry({ name, mode: 0o600, mtime: new Date(nowMs) }, content);
  tar.finalize();
  try {
    await pipeline(tar, createGzip(), createWriteStream(path, { flags: "wx", mode: 0o600 }));
  } catch (cause) {
    const isThere = systemCode(cause) === "EEXIST";
    if (isThere) throw failure("conflict", `${path} is there already: name another with -o`, { cause });
    await rm(path, { force: true });
    throw failure("unavailable", `${path} cannot be written: check the folder, its mode, and the disk`, {
      cause,
    });
  }
}
