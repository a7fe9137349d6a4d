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
  key: keyNote,
  /** The data key, encrypted with the key that `key` tells of. */
  dataKey: v.string(),
  /** The private sealing key (PKCS #8), encrypted. */
  sealingKey: v.string(),
  entries: v.array(entry),
});

export type VaultEntry = v.InferOutput<typeof entry>;
export type VaultContent = v.InferOutput<typeof content>;

/** A vault that was read: what it says, the very text that its signature is about, and which file it was. */
export interface VaultText {
  content: VaultContent;
  text: string;
  signature: string;
  mark: string;
}

/** More than a full vault; what is larger is something else. */
const maxBytes = 16 << 20;

/** The first line: the format and the signature of the second line, which is all the rest. */
const shape = /^edge-vault 1 (\S+)\n(.+)\n$/;

/** The text of a vault, as it is signed. */
export function textOf(vault: VaultContent): string {
  return JSON.stringify(vault);
}

/** Writes it whole. @returns the mark of the file. */
export async function writeVault(path: string, text: string, signature: string): Promise<string> {
  await writeWhole(path, `edge-vault 1 ${signature}\n${text}\n`, 0o600);
  return (await markOf(path)) ?? "";
}

/** Reads it; undefined when there is none, a sentence when it is not what was written. */
export async function readVault(path: string): Promise<VaultText | string | undefined> {
  try {
    const mark = (await markOf(path)) ?? "";
    const { size } = await stat(path);
    if (size > maxBytes) return "it is too long";
    const [, signature, text] = shape.exec(await readFile(path, "utf8")) ?? [];
    if (signature === undefined || text === undefined) return "it is damaged, or of a newer version";
    const read = v.safeParse(content, JSON.parse(text));
    return read.success ? { content: read.output, text, signature, mark } : "it is damaged";
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
