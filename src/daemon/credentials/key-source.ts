import * as v from "valibot";
import { failure } from "../../base/failure.ts";

export const keySourceNames = ["file", "passphrase", "systemd", "tpm"] as const;
export type KeySourceName = (typeof keySourceNames)[number];

/**
 * Where the key comes from that the vault's data key is encrypted with. A source never loses the key of a vault that is on
 * disk: a new one is beside the old one until the vault is written with it.
 */
export interface KeySource {
  /** A key for a vault to be written, and what the vault must remember to have it again. */
  make(isFirst: boolean): Promise<{ key: Buffer; note: KeyNote }>;
  /** The keys that may be that of a note, likeliest first. @throws {Failure} unavailable: there is none, and what to do. */
  find(note: KeyNote): Promise<Buffer[]>;
  /** The vault is on disk with the key of this note: what is older may go. */
  settle(note: KeyNote): Promise<void>;
  /** Takes away what is on this machine's disk of a key, for good. Absent where nothing is. */
  destroy?(): Promise<void>;
}

const base64 = v.pipe(v.string(), v.base64());

/** What the vault's file says, for everybody to read, of the key that its data key is encrypted with. */
export const keyNote = v.variant("source", [
  /** SHA-256 of the key. */
  v.object({ source: v.literal("file"), sha256: v.string() }),
  v.object({
    source: v.literal("passphrase"),
    salt: base64,
    memoryKiB: v.pipe(v.number(), v.minValue(8), v.maxValue(1 << 21)),
    passes: v.pipe(v.number(), v.minValue(1), v.maxValue(100)),
  }),
  v.object({ source: v.literal("systemd"), salt: base64 }),
  /** What only this machine's TPM can open. */
  v.object({ source: v.literal("tpm"), public: base64, private: base64 }),
]);

export type KeyNote = v.InferOutput<typeof keyNote>;

/** The failure of a source that has no key. */
export function noKey(sentence: string, cause?: unknown) {
  return failure("unavailable", `the vault is locked: ${sentence}`, cause === undefined ? {} : { cause });
}
