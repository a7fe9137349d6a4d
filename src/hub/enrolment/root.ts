import "reflect-metadata"; // @peculiar/x509 needs it before itself.
import { createPrivateKey, type KeyObject } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { Authority } from "./issuer.ts";

/** A root that was just made. */
export interface NewRoot {
  certificatePem: string;
  key: KeyObject;
}

const yearMs = 365.25 * 24 * 3_600_000;
/** A root outlives most machines that trust it; who wants another one sooner rotates it. */
const rootYears = 20;
const algorithm = { name: "ECDSA", hash: "SHA-256" };

/** Makes the `nth` root of a fleet: a key, and a certificate that it signed itself. */
export async function newRoot(trustDomain: string, nth: number, at: number): Promise<NewRoot> {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`Orchestrator root${nth === 1 ? "" : ` ${nth}`} of ${trustDomain}`] }],
    notBefore: new Date(at - 5 * 60_000),
    notAfter: new Date(at + rootYears * yearMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: await extensionsOf(trustDomain, keys.publicKey),
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificatePem: `${root.toString("pem")}\n`,
    key: createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }),
  };
}

/** A certificate by which a root that nodes trust vouches for a new one: the same name and key, signed by the old. */
export async function vouch(by: Authority, rootPem: string, at: number): Promise<string> {
  const root = new x509.X509Certificate(rootPem);
  const { certificate, key } = by.issuer;
  const keyId = certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const vouched = await x509.X509CertificateGenerator.create({
    subject: root.subjectName,
    issuer: certificate.subjectName,
    notBefore: new Date(at - 5 * 60_000),
    notAfter: new Date(Math.min(root.notAfter.getTime(), certificate.notAfter.getTime())),
    publicKey: root.publicKey,
    signingKey: key,
    signingAlgorithm: { name: key.algorithm.name, hash: "SHA-256" },
    extensions: [
      ...(await extensionsOf(by.trustDomain, root.publicKey)),
      ...(keyId === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(keyId)]),
    ],
  });
  return `${vouched.toString("pem")}\n`;
}

async function extensionsOf(
  trustDomain: string,
  key: Parameters<typeof x509.SubjectKeyIdentifierExtension.create>[0],
) {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(key),
    new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }]),
  ];
}
