import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject, randomBytes } from "node:crypto";

/**
 * Keeps the keys of later roots in the store, where every replica finds them and nobody else can use them: sealed with a key that
 * is derived from the founding root's, which each replica has in its files.
 */
export interface Sealing {
  seal(id: string, plain: Uint8Array): Uint8Array;
  /** @throws {Error} It was sealed with another key, for another root, or is damaged. */
  open(id: string, sealed: Uint8Array): Uint8Array;
}

const algorithm = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;

/** A sealing by the founding root's key. */
export function sealingBy(founding: KeyObject): Sealing {
  const secret = founding.export({ format: "der", type: "pkcs8" });
  const key = Buffer.from(hkdfSync("sha256", secret, "", "orchestrator: keys of later roots", 32));
  return {
    seal(id, plain) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(id));
      const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
      return new Uint8Array(Buffer.concat([iv, cipher.getAuthTag(), sealed]));
    },
    open(id, sealed) {
      const iv = sealed.subarray(0, ivBytes);
      const decipher = createDecipheriv(algorithm, key, iv, { authTagLength: tagBytes })
        .setAAD(Buffer.from(id))
        .setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes));
      return new Uint8Array(
        Buffer.concat([decipher.update(sealed.subarray(ivBytes + tagBytes)), decipher.final()]),
      );
    },
  };
}
