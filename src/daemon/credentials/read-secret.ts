import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { systemCode } from "../../base/system-code.ts";

/** Why a file with a secret was not read; `sentence` names it and what to do. */
export interface NotRead {
  isMissing: boolean;
  sentence: string;
}

/** Keys and passphrases are short; what is longer is something else. */
const maxBytes = 64 << 10;

/**
 * Reads a file that holds a secret. A plain file that others may read is refused: it is no secret. What is no plain file, such
 * as `/dev/fd/3`, can be read once.
 */
export async function readSecret(path: string): Promise<Buffer | NotRead> {
  try {
    await using file = await open(path, constants.O_RDONLY);
    const stat = await file.stat();
    if (stat.isDirectory()) return { isMissing: false, sentence: `${path} is a folder; a file is needed` };
    if (stat.isFile() && (stat.mode & 0o077) !== 0) {
      return { isMissing: false, sentence: `others may use ${path}: chmod 600 ${path}` };
    }
    if (stat.size > maxBytes) return { isMissing: false, sentence: `${path} is too long to be a key` };
    return await file.readFile();
  } catch (thrown) {
    const code = systemCode(thrown);
    const sentence = code === "ENOENT" ? `${path} is not there` : `${path} cannot be read (${code})`;
    return { isMissing: code === "ENOENT", sentence };
  }
}
