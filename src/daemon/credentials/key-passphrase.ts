import { argon2, randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { promisify } from "node:util";
import { type KeySource, noKey } from "./key-source.ts";
import { readSecret } from "./read-secret.ts";

/** 64 MiB and three passes: a fifth of a second on a small machine, and dear for whoever guesses. */
const cost = { memoryKiB: 64 << 10, passes: 3 };
/** A passphrase that is shorter is guessed whatever it is made expensive by. */
const minBytes = 12;

const deriveKey = promisify(argon2);

/**
 * A key that is made of a passphrase by argon2id. The passphrase stands in a file, or comes through a descriptor as `/dev/fd/3`;
 * never on a command line or in the environment, which others see. Its first line counts; a second line is the one before, which
 * opens a vault that was not written with the new one yet.
 */
export function passphraseKeys(path: string | undefined): KeySource {
  /** What cannot be read twice. */
  let once: Buffer | undefined;
  const lines = async (): Promise<Buffer[]> => {
    if (path === undefined) {
      throw noKey("nobody says its passphrase: set credentials.passphrase_file");
    }
    const bytes = once ?? (await readSecret(path));
    if (!Buffer.isBuffer(bytes)) throw noKey(`its passphrase is missing: ${bytes.sentence}`);
    const isPlain = (await stat(path).catch(() => undefined))?.isFile() === true;
    if (!isPlain) once = bytes;
    const found = splitLines(bytes);
    if (isPlain) bytes.fill(0);
    if ((found[0]?.length ?? 0) < minBytes) {
      throw noKey(`the passphrase in ${path} has less than ${minBytes} bytes: take a longer one`);
    }
    return found;
  };
  return {
    async make() {
      const salt = randomBytes(16);
      const [newest = Buffer.alloc(0), ...older] = await lines();
      const key = await keyOf(newest, salt, cost);
      for (const line of [newest, ...older]) line.fill(0);
      return { key, note: { source: "passphrase", salt: salt.toString("base64"), ...cost } };
    },
    async find(note) {
      if (note.source !== "passphrase") return [];
      const keys: Buffer[] = [];
      for (const line of await lines()) {
        keys.push(await keyOf(line, Buffer.from(note.salt, "base64"), note));
        line.fill(0);
      }
      return keys;
    },
    settle: () => Promise.resolve(),
  };
}

async function keyOf(
  message: Buffer,
  nonce: Buffer,
  { memoryKiB, passes }: { memoryKiB: number; passes: number },
): Promise<Buffer> {
  const options = { message, nonce, parallelism: 1, tagLength: 32, memory: memoryKiB, passes };
  return await deriveKey("argon2id", options);
}

/** The first two lines, each a copy that can be cleared. */
function splitLines(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let from = 0; from < bytes.length && found.length < 2; ) {
    const end = bytes.indexOf("\n", from);
    const line = bytes.subarray(from, end < 0 ? bytes.length : end);
    if (line.length > 0) found.push(Buffer.from(line));
    from = end < 0 ? bytes.length : end + 1;
  }
  return found;
}
