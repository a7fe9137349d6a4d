import "reflect-metadata"; // @peculiar/x509 needs it before itself.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A new P-256 key as PKCS #8 PEM. */
export async function newKeyPem(): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey));
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" })
    .export({ format: "pem", type: "pkcs8" })
    .toString();
}

/** A certificate signing request for the key, in DER. The name in it is for people: the hub takes none of it. */
export async function signingRequest(keyPem: string, hostName: string): Promise<Uint8Array> {
  const privateKey = createPrivateKey(keyPem);
  const keys = {
    privateKey: cryptoKey(privateKey, ["sign"]),
    publicKey: cryptoKey(createPublicKey(privateKey), ["verify"]),
  };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [hostName || "node"] }],
    keys,
    signingAlgorithm: algorithm,
  });
  return new Uint8Array(request.rawData);
}

function cryptoKey(key: KeyObject, usages: ("sign" | "verify")[]) {
  return key.toCryptoKey(algorithm, true, usages);
}
