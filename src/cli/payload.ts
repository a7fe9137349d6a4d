import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { failure } from "../base/failure.ts";
import { formatBytes } from "../base/quantity.ts";

/**
 * The bytes of a file that is to travel in a command. One that cannot is refused before it is read, however large it is.
 * @throws {Failure} not_found: it cannot be read. exhausted: it is too large.
 */
export async function readPayload(path: string, { cwd, maxBytes }: { cwd: string; maxBytes: number }) {
  const file = resolve(cwd, path);
  try {
    const { size } = await stat(file);
    if (size <= maxBytes) return await readFile(file);
    const [is, most] = [formatBytes(size), formatBytes(maxBytes)];
    throw failure("exhausted", `${file} is ${is} long, and a command carries at most ${most}`);
  } catch (thrown) {
    if (!(thrown instanceof Error) || !("code" in thrown) || !("syscall" in thrown)) throw thrown;
    throw failure("not_found", `${file} cannot be read: is the path right, and may this user read it?`, {
      cause: thrown,
    });
  }
}
