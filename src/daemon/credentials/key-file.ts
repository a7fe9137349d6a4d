import { createHash } from "node:crypto";
import { removeWhole, writeWhole } from "../../base/files.ts";
import { newKey } from "./cipher.ts";
import { type KeySource, noKey } from "./key-source.ts";
import { readSecret } from "./read-secret.ts";

/**
 * A key in a file of its own, mode 0600, made at first use. It holds one key on a line; two while the vault gets another one,
 * so that whatever moment that is broken off at, the vault on disk has its key here.
 */
export function fileKeys(path: string): KeySource {
  return {
    async make(isFirst) {
      const kept = await readKeys(path);
      const [newest] = kept;
      // Without a vault, a key that is there is used and never replaced: a backup of the vault may need it.
      if (isFirst && newest) return { key: newest, note: noteOf(newest) };
      const key = newKey();
      await writeKeys(path, [key, ...kept]);
      clear(kept);
      return { key, note: noteOf(key) };
    },
    async find(note) {
      const kept = await readKeys(path);
      if (kept.length === 0) throw noKey(`its key file ${path} is not there: ${putBack}`);
      const sha256 = note.source === "file" ? note.sha256 : "";
      const found = kept.filter((key) => hashOf(key) === sha256);
      clear(kept.filter((key) => !found.includes(key)));
      if (found.length === 0) throw noKey(`its key file ${path} holds another key: ${putBack}`);
      return found;
    },
    async settle(note) {
      const kept = await readKeys(path);
      const current = kept.filter((key) => note.source === "file" && hashOf(key) === note.sha256);
      if (current.length > 0 && current.length < kept.length) await writeKeys(path, current.slice(0, 1));
      clear(kept);
    },
    destroy: () => removeWhole(path),
  };
}

const putBack =
  "put it back from a backup; without it the vault cannot be opened, and is only good to be moved away";

async function readKeys(path: string): Promise<Buffer[]> {
  const bytes = await readSecret(path);
  if (!Buffer.isBuffer(bytes)) {
    if (bytes.isMissing) return [];
    throw noKey(bytes.sentence);
  }
  const lines = bytes
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "");
  bytes.fill(0);
  const keys = lines.map((line) => Buffer.from(line, "base64"));
  if (keys.some((key) => key.length !== 32)) throw noKey(`its key file ${path} is damaged: ${putBack}`);
  return keys;
}

async function writeKeys(path: string, keys: readonly Buffer[]): Promise<void> {
  const content = Buffer.from(keys.map((key) => `${key.toString("base64")}\n`).join(""));
  try {
    await writeWhole(path, content, 0o600);
  } finally {
    content.fill(0);
  }
}

function noteOf(key: Buffer) {
  return { source: "file" as const, sha256: hashOf(key) };
}

function hashOf(key: Buffer): string {
  return createHash("sha256").update(key).digest("hex");
}

function clear(keys: readonly Buffer[]): void {
  for (const key of keys) key.fill(0);
}
