import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { derive } from "./cipher.ts";
import { type KeySource, noKey } from "./key-source.ts";
import { readSecret } from "./read-secret.ts";

/** The name of the credential: `LoadCredentialEncrypted=orchestrator-vault-key:/etc/credstore.encrypted/...`. */
const name = "orchestrator-vault-key";
const minBytes = 16;

/** A key that is made of a credential of systemd, which decrypts it for this unit only. */
export function systemdKeys(folder: string | undefined): KeySource {
  const read = async (): Promise<Buffer> => {
    if (folder === undefined) {
      throw noKey(
        `systemd lends this program no credentials: give its unit LoadCredentialEncrypted=${name}:<path>`,
      );
    }
    const bytes = await readSecret(join(folder, name));
    if (!Buffer.isBuffer(bytes)) throw noKey(`systemd's credential ${name} is missing: ${bytes.sentence}`);
    if (bytes.length >= minBytes) return bytes;
    throw noKey(`systemd's credential ${name} has less than ${minBytes} bytes: make a longer one`);
  };
  const keyOf = async (salt: Buffer) => {
    const bytes = await read();
    try {
      return derive(bytes, salt, "edge vault key of systemd");
    } finally {
      bytes.fill(0);
    }
  };
  return {
    async make() {
      const salt = randomBytes(16);
      return { key: await keyOf(salt), note: { source: "systemd", salt: salt.toString("base64") } };
    },
    async find(note) {
      return note.source === "systemd" ? [await keyOf(Buffer.from(note.salt, "base64"))] : [];
    },
    settle: () => Promise.resolve(),
  };
}
