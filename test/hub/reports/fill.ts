import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Takes all room that a disk has left, until the returned function is called. */
export function fill(path: string): () => void {
  const file = join(path, "filler");
  for (let bytes = 1 << 20; bytes >= 1024; ) {
    try {
      appendFileSync(file, Buffer.alloc(bytes));
    } catch {
      bytes /= 2;
    }
  }
  return () => rmSync(file);
}
