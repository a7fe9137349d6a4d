import { CompactEncrypt, importJWK, type JWK } from "jose";
import { failure } from "../base/failure.ts";

/**
 * Seals a value to a vault's public key, for one credential: the one form in which it leaves this program. Whoever carries it, hub
 * or node, cannot read it, and cannot pass it off as another credential.
 * @throws {Failure} invalid: the key is none for sealing.
 */
export async function seal(value: Uint8Array, name: string, jwk: string): Promise<string> {
  const header = { alg: "ECDH-ES", enc: "A256GCM", "edge-credential": name };
  try {
    const key = await importJWK(JSON.parse(jwk) as JWK, header.alg); // jose looks at what it is.
    return await new CompactEncrypt(value).setProtectedHeader(header).encrypt(key);
  } catch (cause) {
    throw failure("invalid", "the sealing key is no public key of X25519 as a JWK", { cause });
  }
}
