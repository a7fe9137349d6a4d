import type { KeyObject } from "node:crypto";
import { calculateJwkThumbprint, compactDecrypt, decodeProtectedHeader, exportJWK } from "jose";
import { type Failure, invalidField } from "../../base/failure.ts";

/** How a value travels: to the vault's key, for one name. Nothing else is taken. */
const taken = { alg: "ECDH-ES", enc: "A256GCM" };
/** The protected header that says which credential a value is for. */
const nameHeader = "edge-credential";
/** The longest value; the contract says it, too. */
const maxValueBytes = 64 << 10;

/** A public sealing key for whoever seals. */
export async function publicJwk(publicKey: KeyObject): Promise<{ jwk: string; thumbprint: string }> {
  const { kty, crv, x } = await exportJWK(publicKey);
  const jwk = { kty: kty ?? "", crv: crv ?? "", x: x ?? "" };
  return { jwk: JSON.stringify(jwk), thumbprint: await calculateJwkThumbprint(jwk) };
}

/**
 * Opens a value that was sealed for this name. It is the caller's to clear.
 * @throws {Failure} invalid: it was sealed to another key, in another way, for another name, or is empty or too long.
 */
export async function unseal(sealed: string, name: string, privateKey: KeyObject): Promise<Buffer> {
  const { plaintext, protectedHeader } = await compactDecrypt(sealed, privateKey, {
    keyManagementAlgorithms: [taken.alg],
    contentEncryptionAlgorithms: [taken.enc],
  }).catch((cause: unknown) => {
    throw refused(whyNot(sealed), cause);
  });
  const value = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const sentence = problemOf(value, protectedHeader[nameHeader], name);
  if (sentence === undefined) return value;
  value.fill(0);
  throw refused(sentence);
}

function problemOf(value: Buffer, sealedFor: unknown, name: string): string | undefined {
  if (sealedFor !== name) return `was sealed for another credential than ${name}`;
  if (value.length === 0) return "holds nothing";
  if (value.length > maxValueBytes) return `holds more than ${maxValueBytes} bytes`;
  return undefined;
}

function whyNot(sealed: string): string {
  try {
    const { alg, enc } = decodeProtectedHeader(sealed);
    if (alg === taken.alg && enc === taken.enc) {
      return "was sealed to another key than this node's vault has, or changed on the way: seal it again";
    }
  } catch {
    // It is no JWE at all.
  }
  return `is not sealed with ${taken.alg} and ${taken.enc}: seal it with \`orchestrator credential seal\``;
}

function refused(sentence: string, cause?: unknown): Failure {
  return Object.assign(invalidField("sealed", sentence), cause === undefined ? {} : { cause });
}
