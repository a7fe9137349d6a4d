import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";

/** AES-256-GCM: a key of 32 bytes, a nonce of 12 that is drawn anew each time, a tag of 16. */
const algorithm = "aes-256-gcm";
const keyBytes = 32;
const nonceBytes = 12;
/** Said to Node each time: left out, it takes a tag of four bytes for a tag. */
const authTagLength = 16;

/** A new key. */
export function newKey(): Buffer {
  return randomBytes(keyBytes);
}

/**
 * Encrypts, bound to what it is about: the same words are needed to have it back, so that one ciphertext put in another's place
 * is refused. @returns nonce, ciphertext and tag in base64.
 */
export function encrypt(key: Buffer, plain: Uint8Array, about: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength });
  cipher.setAAD(Buffer.from(about));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

/** The plain bytes, which are the caller's to clear; undefined when key, words or bytes are not those of `encrypt`. */
export function decrypt(key: Buffer, sealed: string, about: string): Buffer | undefined {
  const bytes = Buffer.from(sealed, "base64");
  if (bytes.length < nonceBytes + authTagLength) return undefined;
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), { authTagLength });
  decipher.setAAD(Buffer.from(about));
  decipher.setAuthTag(bytes.subarray(-authTagLength));
  const plain = decipher.update(bytes.subarray(nonceBytes, -authTagLength));
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    return undefined;
  } finally {
    plain.fill(0);
  }
}

/** A key for one purpose, made of another. */
export function derive(key: Uint8Array, salt: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, salt, purpose, keyBytes));
}

/** What nobody without the key can make for this text. */
export function signature(key: Buffer, text: string): string {
  const own = derive(key, Buffer.alloc(0), "edge vault signature");
  try {
    return createHmac("sha256", own).update(text).digest("base64");
  } finally {
    own.fill(0);
  }
}

/** Whether two texts are equal, without telling by the time it takes how far they are. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
