import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { beginning } from "../../base/evidence.ts";
import { systemCode } from "../../base/system-code.ts";

/** The file that locks, in the folder of a runtime. */
export const lockFileName = "lock";

/** What a lock file says. */
export interface LockFile {
  /** Its first line. */
  reason: string;
  /** When it was made: wall time in milliseconds since 1970; undefined where the file system does not know. */
  since: number | undefined;
}

/** As much of its first line as is told, in bytes. */
const toldBytes = 255;

/** Names a file without opening it (open(2), Linux); Node has no name for it. */
const pathOnly = 0o10000000;

/**
 * Reads a lock file that a program may have made however it liked: a link to somebody's secret, a pipe that nobody writes, a
 * device that starts a watchdog when it is opened. Only what is a plain file is opened, and its beginning read. One that may
 * not be read still locks, and so does a folder that may not be looked into: who asks not to be touched is believed.
 * @param newerThanMs when the run before the program's present one had ended: what was changed last by then is a leftover of it.
 * No program can set that moment, unlike the one that `touch` sets.
 */
export function readLockFile(path: string, newerThanMs: number): LockFile | undefined {
  let named: number;
  try {
    named = openSync(path, pathOnly | constants.O_NOFOLLOW);
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return { reason: `the daemon cannot look into its lock folder (${code})`, since: undefined };
  }
  try {
    const found = fstatSync(named);
    if (!found.isFile() || found.ctimeMs <= newerThanMs) return undefined;
    return { reason: firstLineOf(named), since: bornAt(found) };
  } finally {
    closeSync(named);
  }
}

function firstLineOf(named: number): string {
  const bytes = Buffer.alloc(toldBytes + 1);
  try {
    // The very file that was looked at, whatever has its name by now.
    const file = openSync(`/proc/self/fd/${named}`, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const text = bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, 0));
      const line = (text.split("\n", 1)[0] ?? "").replace(/\p{C}+/gu, " ").trim();
      return beginning(line, toldBytes);
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

/** Not when it was changed last: a program that touches its lock again and again would make news each time. */
function bornAt({ birthtimeMs }: Stats): number | undefined {
  return birthtimeMs > 0 ? Math.floor(birthtimeMs) : undefined;
}
