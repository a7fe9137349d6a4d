import "reflect-metadata"; // @peculiar/x509 needs it before itself.
import { generateKeyPair, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import * as x509 from "@peculiar/x509";
import { nodeUri } from "../../wire/tls.ts";
import type { Authority } from "./issuer.ts";

/** A certificate as it goes to its owner. */
export interface Issued {
  /** The certificate alone, as PEM. */
  certificatePem: string;
  /** Upper-case hexadecimal, as node:crypto and openssl write it. */
  serial: string;
  /** From when on it is good: wall time, milliseconds. */
  issuedAt: number;
  /** Wall time, milliseconds. */
  expiresAt: number;
}

/** Clocks of plants run behind: a certificate is good a little before it was made; one of a short life, by a part of that. */
function backdateMs(validMs: number): number {
  return Math.min(5 * 60_000, validMs / 10);
}

/**
 * A certificate that lets a node in at the line and does nothing else. Every name in it is the hub's choice; of the node
 * it holds the public key alone. It never outlives the authority.
 */
export function issueNode(
  authority: Authority,
  node: { id: string; publicKey: Uint8Array; at: number; validMs: number },
): Promise<Issued> {
  return issue(authority, {
    commonName: node.id,
    publicKey: node.publicKey,
    at: node.at,
    validMs: node.validMs,
    usage: x509.ExtendedKeyUsage.clientAuth,
    names: [{ type: "url", value: nodeUri(authority.trustDomain, node.id) }],
  });
}

/** A certificate for the hub's own listeners, with a new key. `names` are host names and IP addresses. */
export async function issueServer(
  authority: Authority,
  server: { names: readonly string[]; at: number; validMs: number },
): Promise<Issued & { keyPem: string }> {
  const keys = await promisify(generateKeyPair)("ec", { namedCurve: "prime256v1" });
  const issued = await issue(authority, {
    commonName: "orchestrator hub",
    publicKey: keys.publicKey.export({ format: "der", type: "spki" }),
    at: server.at,
    validMs: server.validMs,
    usage: x509.ExtendedKeyUsage.serverAuth,
    names: server.names.map((name) => ({
      type: isIP(name) ? ("ip" as const) : ("dns" as const),
      value: name,
    })),
  });
  return { ...issued, keyPem: String(keys.privateKey.export({ format: "pem", type: "pkcs8" })) };
}

interface Wanted {
  commonName: string;
  publicKey: Uint8Array;
  at: number;
  validMs: number;
  usage: x509.ExtendedKeyUsage;
  names: x509.JsonGeneralNames;
}

async function issue({ issuer }: Authority, wanted: Wanted): Promise<Issued> {
  const publicKey = new x509.PublicKey(new Uint8Array(wanted.publicKey));
  const issuerKeyId =
    issuer.certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ??
    (await x509.SubjectKeyIdentifierExtension.create(issuer.certificate.publicKey)).keyId;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [wanted.commonName] }],
    issuer: issuer.certificate.subjectName,
    notBefore: new Date(wanted.at - backdateMs(wanted.validMs)),
    notAfter: new Date(Math.min(wanted.at + wanted.validMs, issuer.certificate.notAfter.getTime())),
    publicKey,
    signingKey: issuer.key,
    signingAlgorithm: { name: issuer.key.algorithm.name, hash: "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([wanted.usage]),
      new x509.SubjectAlternativeNameExtension(wanted.names),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      // The issuer's own spelling of its key's id: chains are refused when the two differ.
      new x509.AuthorityKeyIdentifierExtension(issuerKeyId),
    ],
  });
  const certificatePem = `${certificate.toString("pem")}\n`;
  const { serialNumber: serial } = new X509Certificate(certificatePem);
  return {
    ...{ certificatePem, serial },
    issuedAt: certificate.notBefore.getTime(),
    expiresAt: certificate.notAfter.getTime(),
  };
}
