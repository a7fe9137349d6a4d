import "reflect-metadata"; // @peculiar/x509 needs it before itself.
import { createHash, createPublicKey } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { invalidField } from "../../base/failure.ts";

/** All that is taken from a certificate signing request. */
export interface RequestedKey {
  /** Subject public key info, DER, in the one form that node:crypto writes. */
  publicKey: Uint8Array;
  /** Its SHA-256, by which the same node is known when it asks again. */
  sha256: Uint8Array;
}

/**
 * The public key of a PKCS #10 request in DER. Names and extensions that it asks for are not looked at.
 * @throws {Failure} invalid: it is no such request, its key is not P-256, or it was not signed by that key.
 */
export async function requestedKey(csrDer: Uint8Array): Promise<RequestedKey> {
  const { request, key } = parsed(csrDer);
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw invalidField(
      "csr_der",
      "the key of the certificate signing request must be an EC key on the curve P-256",
    );
  }
  if (!(await isSignedByItsKey(request))) {
    throw invalidField(
      "csr_der",
      "the signature of the certificate signing request is wrong: it was changed on its way, or made with another key",
    );
  }
  const publicKey = new Uint8Array(key.export({ format: "der", type: "spki" }));
  return { publicKey, sha256: new Uint8Array(createHash("sha256").update(publicKey).digest()) };
}

function parsed(csrDer: Uint8Array) {
  try {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(csrDer));
    const spki = Buffer.from(request.publicKey.rawData);
    return { request, key: createPublicKey({ key: spki, format: "der", type: "spki" }) };
  } catch {
    // What the parser says names offsets of ASN.1, which help nobody who sees this sentence.
    throw invalidField("csr_der", "is not a certificate signing request (PKCS #10) in DER");
  }
}

async function isSignedByItsKey(request: x509.Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    // A signature that cannot even be parsed is a wrong one.
    return false;
  }
}
