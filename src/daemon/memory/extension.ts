import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { getLoadablePath } from "sqlite-vec";

/** sqlite-vec's library, which measures how near embeddings are: in a build a file beside the program, otherwise in its package. */
export function extensionPath(): string {
  const built = fileURLToPath(new URL("vec0.so", import.meta.url));
  return existsSync(built) ? built : getLoadablePath();
}
