import { readFile, stat } from "node:fs/promises";
import * as v from "valibot";
import { writeWhole } from "../../base/files.ts";
import { systemCode } from "../../base/system-code.ts";
import { keyNote } from "./key-source.ts";

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** One secret as it is on disk. */
const entry = v.object({
  name: v.string(),
  revision: whole,
  description: v.string(),
  createdAt: whole,
  updatedAt: whole,
  /** Undefined when it has no end. */
  expiresAt: v.optional(whole),
  labels: v.array(v.object({ key: v.string(), value: v.string() })),
  /** The command that kept this revision: brought again, it keeps nothing a second time. */
  commandId: v.string(),
  /** Encrypted, bound to name and revision. */
  value: v.string(),
});

const content = v.object({
  format: v.literal(1),
  key: keyNote,
  /** The data key, encrypted with the key that `key` tells of. */
  dataKey: v.string(),
  /** The private sealing key (PKCS #8), encrypted. */
  sealingKey: v.string(),
  entries: v.array(entry),
});

const signed = v.object({ ...content.entries, signature: v.string() });

export type VaultEntry = v.InferOutput<typeof entry>;
export type VaultContent = v.InferOutput<typeof content>;

/** A vault that was read: what it says, the text that its signature is about, and which file it was. */
export interface VaultText {
  content: VaultContent;
  text: string;
  signature: string;
  mark: string;
}

/** More than a full vault; what is larger is something else. */
const maxBytes = 16 << 20;

/** The text that is signed: what the vault says, always in the same order. */
export function textOf({ format, key, dataKey, sealingKey, entries }: VaultContent): string {
  return JSON.stringify({ format, key, dataKey, sealingKey, entries });
}

/** Writes it whole. @returns the mark of the file. */
export async function writeVault(path: string, vault: VaultContent, signature: string): Promise<string> {
  await writeWhole(path, `${JSON.stringify({ ...vault, signature }, null, 1)}\n`, 0o600);
  return (await markOf(path)) ?? "";
}

/** Reads it; undefined when there is none, a sentence when it is not what was written. */
export async function readVault(path: string): Promise<VaultText | string | undefined> {
  try {
    const mark = (await markOf(path)) ?? "";
    const { size } = await stat(path);
    if (size > maxBytes) return "it is too long";
    const read = v.safeParse(signed, JSON.parse(await readFile(path, "utf8")));
    if (!read.success) return "it is not in the format of this version";
    const { signature, ...found } = read.output;
    return { content: found, text: textOf(found), signature, mark };
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    return thrown instanceof SyntaxError ? "it is damaged" : `it cannot be read (${systemCode(thrown)})`;
  }
}

/** Tells one state of a file from another; undefined when there is none. */
export async function markOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs].join(":");
  } catch (thrown) {
    // What cannot be looked at is told by whoever reads it.
    return systemCode(thrown) === "ENOENT" ? undefined : systemCode(thrown);
  }
}
