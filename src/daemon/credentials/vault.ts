import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { type Failure, failure } from "../../base/failure.ts";
import { removeWhole } from "../../base/files.ts";
import { Lanes } from "../../base/lanes.ts";
import { decrypt, encrypt, isSame, newKey, signature } from "./cipher.ts";
import type { KeySource, KeySourceName } from "./key-source.ts";
import { markOf, readVault, textOf, type VaultContent, type VaultEntry, writeVault } from "./vault-file.ts";

/** What is known of a secret without its value. */
export type Kept = Omit<VaultEntry, "value">;

export interface VaultOptions {
  /** Its own folder. */
  folder: string;
  sources: Readonly<Record<KeySourceName, KeySource>>;
  /** What a new key is taken from. */
  keySource: KeySourceName;
}

/** What an open vault is: what stands on disk, and the key to it. */
interface Opened {
  content: VaultContent;
  dataKey: Buffer;
  mark: string;
}

/** The most that one vault holds: all of it is written at each change. */
const limits = { entries: 500, bytes: 8 << 20 };

const about = {
  dataKey: "edge vault data key 1",
  sealingKey: "edge vault sealing key",
  value: ({ name, revision }: Pick<Kept, "name" | "revision">) => `edge vault value ${name} ${revision}`,
};

/**
 * Secrets on disk: each encrypted with a data key and bound to its name and revision, the data key encrypted with a key from
 * elsewhere, and all of it signed, so that nothing can be swapped, taken out or put back to what it was. One file, written whole:
 * a crash leaves the old one or the new one. A vault that cannot be read is never written over, and read anew at each call, so
 * that it works again once it is mended.
 */
export class Vault implements Disposable {
  readonly #options: VaultOptions;
  readonly #path: string;
  readonly #lane = new Lanes(1_000);
  #opened: Opened | undefined;

  constructor(options: VaultOptions) {
    this.#options = options;
    this.#path = join(options.folder, "secrets");
  }

  /** All secrets, by name. @throws {Failure} unavailable, as all of these: it is locked or cannot be read, and what to do. */
  list(): Promise<Kept[]> {
    return this.#alone(async () => (await this.#open()).content.entries.map(withoutValue));
  }

  /** What is known of one secret; undefined when there is none. */
  find(name: string): Promise<Kept | undefined> {
    return this.#alone(async () => (await this.#open()).content.entries.map(withoutValue).find(named(name)));
  }

  /** The value of a secret, which is the caller's to clear. @throws {Failure} not_found. */
  value(name: string): Promise<{ kept: Kept; value: Buffer }> {
    return this.#alone(async () => {
      const { content, dataKey } = await this.#open();
      const entry = content.entries.find(named(name));
      if (!entry) throw noSuch(name);
      const value = decrypt(dataKey, entry.value, about.value(entry));
      if (!value) throw unreadable(this.#path, `the value of ${name} is not the one that was kept`);
      return { kept: withoutValue(entry), value };
    });
  }

  /** Keeps a value as the next revision. @throws {Failure} exhausted: the vault is full. */
  put(kept: Omit<Kept, "revision">, value: Uint8Array): Promise<Kept> {
    return this.#alone(async () => {
      const { content, dataKey } = await this.#open();
      const before = content.entries.find(named(kept.name));
      const others = content.entries.filter((one) => one !== before);
      const next = { ...kept, revision: (before?.revision ?? 0) + 1 };
      const entry = { ...next, value: encrypt(dataKey, value, about.value(next)) };
      const entries = [...others, entry].sort((one, other) => (one.name < other.name ? -1 : 1));
      const bytes = entries.reduce((sum, one) => sum + one.value.length, 0);
      if (entries.length > limits.entries || bytes > limits.bytes) {
        throw failure("exhausted", "the vault is full: remove credentials that nobody uses");
      }
      await this.#write({ ...content, entries }, dataKey);
      return next;
    });
  }

  /** Removes a secret. One that is not there is the same success. */
  remove(name: string): Promise<void> {
    return this.#alone(async () => {
      const { content, dataKey } = await this.#open();
      const entries = content.entries.filter((one) => one.name !== name);
      if (entries.length < content.entries.length) await this.#write({ ...content, entries }, dataKey);
    });
  }

  /** Encrypts everything with new keys, the outer one from the source that the settings name. @returns how many secrets. */
  rotate(): Promise<number> {
    return this.#alone(async () => {
      const { content, dataKey } = await this.#open();
      const next = newKey();
      const again = (sealed: string, words: string) => {
        const plain = decrypt(dataKey, sealed, words);
        if (!plain) throw unreadable(this.#path, `it does not hold the ${words}`);
        const anew = encrypt(next, plain, words);
        plain.fill(0);
        return anew;
      };
      const entries = content.entries.map((one) => ({ ...one, value: again(one.value, about.value(one)) }));
      const sealingKey = again(content.sealingKey, about.sealingKey);
      await this.#writeWithKey({ sealingKey, entries }, next, false);
      dataKey.fill(0);
      return entries.length;
    });
  }

  /** The key that values are sealed to, and where the vault's own key is from. */
  sealing(): Promise<{ privateKey: KeyObject; publicKey: KeyObject; source: KeySourceName }> {
    return this.#alone(async () => {
      const { content, dataKey } = await this.#open();
      const bytes = decrypt(dataKey, content.sealingKey, about.sealingKey);
      if (!bytes) throw unreadable(this.#path, "it does not hold the sealing key");
      const privateKey = createPrivateKey({ key: bytes, format: "der", type: "pkcs8" });
      bytes.fill(0);
      return { privateKey, publicKey: createPublicKey(privateKey), source: content.key.source };
    });
  }

  /** Removes all of it for good: first the key, without which the rest is nothing. */
  destroy(): Promise<void> {
    return this.#alone(async () => {
      for (const source of Object.values(this.#options.sources)) await source.destroy?.();
      await removeWhole(this.#path);
      this[Symbol.dispose]();
    });
  }

  [Symbol.dispose](): void {
    this.#opened?.dataKey.fill(0);
    this.#opened = undefined;
  }

  /** One call at a time: nobody reads while another writes. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#lane.run("the vault", work);
  }

  /** The vault as it is on disk, made when there is none. */
  async #open(): Promise<Opened> {
    const mark = await markOf(this.#path);
    if (this.#opened && this.#opened.mark === mark) return this.#opened;
    this[Symbol.dispose]();
    const read = await readVault(this.#path);
    if (read === undefined) return await this.#begin();
    if (typeof read === "string") throw unreadable(this.#path, read);
    const { content } = read;
    const source = this.#options.sources[content.key.source];
    const keys = await source.find(content.key);
    const dataKey = keys.map((key) => decrypt(key, content.dataKey, about.dataKey)).find((one) => one);
    for (const key of keys) key.fill(0);
    if (!dataKey) throw unreadable(this.#path, `the key from ${content.key.source} does not open it`);
    if (!isSame(signature(dataKey, read.text), read.signature)) {
      throw unreadable(this.#path, "it was changed by another hand");
    }
    this.#opened = { content, dataKey, mark: read.mark };
    await source.settle(content.key);
    return this.#opened;
  }

  async #begin(): Promise<Opened> {
    const dataKey = newKey();
    const { privateKey } = generateKeyPairSync("x25519");
    const bytes = privateKey.export({ format: "der", type: "pkcs8" });
    const sealingKey = encrypt(dataKey, bytes, about.sealingKey);
    bytes.fill(0);
    return await this.#writeWithKey({ sealingKey, entries: [] }, dataKey, true);
  }

  /** Writes the vault with an outer key that is on its own disk already, and forgets older ones after that. */
  async #writeWithKey(
    rest: Pick<VaultContent, "sealingKey" | "entries">,
    dataKey: Buffer,
    isFirst: boolean,
  ): Promise<Opened> {
    const { sources, keySource } = this.#options;
    const source = sources[keySource];
    const { key, note } = await source.make(isFirst);
    const wrapped = encrypt(key, dataKey, about.dataKey);
    key.fill(0);
    const opened = await this.#write({ key: note, dataKey: wrapped, ...rest }, dataKey);
    await source.settle(note);
    return opened;
  }

  async #write(content: VaultContent, dataKey: Buffer): Promise<Opened> {
    const text = textOf(content);
    this.#opened = undefined; // Whatever happens now, the disk is asked.
    const mark = await writeVault(this.#path, text, signature(dataKey, text)).catch((cause: unknown) => {
      throw failure(
        "unavailable",
        `the vault ${this.#path} cannot be written: is its disk full or read-only?`,
        {
          cause,
        },
      );
    });
    this.#opened = { content, dataKey, mark };
    return this.#opened;
  }
}

function withoutValue({ value: _, ...kept }: VaultEntry): Kept {
  return kept;
}

function named(name: string) {
  return (one: Pick<Kept, "name">) => one.name === name;
}

/** The failure of a secret that is not there. */
export function noSuch(name: string): Failure {
  return failure(
    "not_found",
    `there is no credential ${name}: \`orchestrator credential set ${name}\` keeps one`,
  );
}

function unreadable(path: string, why: string): Failure {
  const sentence = `the vault ${path} cannot be used: ${why}`;
  return failure(
    "unavailable",
    `${sentence}. It is left as it is: put it back from a backup, or move it away to begin with an empty one`,
  );
}
