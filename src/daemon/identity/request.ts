import { createPrivateKey, createPublicKey, generateKeyPair, sign } from "node:crypto";
import { promisify } from "node:util";

/** A new P-256 key as PKCS #8 PEM. */
export async function newKeyPem(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: "prime256v1" });
  return String(privateKey.export({ format: "pem", type: "pkcs8" }));
}

/**
 * A certificate signing request (PKCS #10) for the key, in DER. The name in it is for people: the hub takes none of it.
 * Written by hand, for it is three fields and a signature, and a daemon that renews its certificate would otherwise keep a
 * library of 25 MB in memory for that.
 */
export function signingRequest(keyPem: string, hostName: string): Uint8Array {
  const privateKey = createPrivateKey(keyPem);
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const name = sequence(
    der(tag.set, sequence(oid.commonName, der(tag.utf8, Buffer.from(hostName || "node")))),
  );
  const info = sequence(version, name, publicKey, noAttributes);
  const signature = der(tag.bitString, Buffer.of(0), sign("sha256", info, privateKey));
  return new Uint8Array(sequence(info, sequence(oid.ecdsaWithSha256), signature));
}

const tag = { bitString: 0x03, utf8: 0x0c, sequence: 0x30, set: 0x31 };
const version = Buffer.from("020100", "hex");
const noAttributes = Buffer.from("a000", "hex");
const oid = {
  commonName: Buffer.from("0603550403", "hex"), // 2.5.4.3
  ecdsaWithSha256: Buffer.from("06082a8648ce3d040302", "hex"), // 1.2.840.10045.4.3.2
};

function sequence(...parts: Uint8Array[]): Buffer {
  return der(tag.sequence, ...parts);
}

/** One value of DER: its tag, its length in as few bytes as can be, its content. */
function der(kind: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.of(kind, ...length), content]);
}
