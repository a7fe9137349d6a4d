import { stat } from "node:fs/promises";
import type { Clock } from "./clock.ts";

/** Between two looks, in milliseconds. */
const lookMs = 1_000;

/**
 * Calls `onChange` when the file at a path is another than before, came or went; a moment after the last change, so that a file
 * that is being written is not read in halves. It looks instead of listening: a folder that is replaced, or a link that is turned
 * elsewhere, is seen as well, and a file system that tells nothing, too.
 */
export async function watchFile(
  path: string,
  onChange: () => Promise<void>,
  { clock, everyMs = lookMs }: { clock: Pick<Clock, "sleep">; everyMs?: number },
  signal: AbortSignal,
): Promise<void> {
  let told = await lookAt(path);
  for (let before = told; ; ) {
    await clock.sleep(everyMs, signal);
    const now = await lookAt(path);
    if (now !== told && now === before) {
      told = now;
      await onChange();
    }
    before = now;
  }
}

/** What tells one state of a file from another; empty when there is none. */
async function lookAt(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "";
  }
}
