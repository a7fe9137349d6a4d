import { createHash, type X509Certificate } from "node:crypto";
import type { SecureVersion } from "node:tls";

/** TLS 1.3 only, on every listener and every dial of ours. */
export const minTlsVersion: SecureVersion = "TLSv1.3";

const namePattern = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const nodePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The name of a node in its certificate: `spiffe://<trust domain>/node/<node id>`. */
export function nodeUri(trustDomain: string, nodeId: string): string {
  return `spiffe://${trustDomain}/node/${nodeId}`;
}

/**
 * Who a certificate says the node is, or undefined when it is not a node's certificate of this trust domain. The whole
 * alternative name must match: a name smuggled in behind a comma comes out quoted and does not.
 */
export function nodeIdOf(certificate: X509Certificate, trustDomain: string): string | undefined {
  const prefix = `URI:${nodeUri(trustDomain, "")}`;
  const name = certificate.subjectAltName;
  if (!name?.startsWith(prefix)) return undefined;
  const id = name.slice(prefix.length);
  return nodePattern.test(id) ? id : undefined;
}

/** Whether a name can be a trust domain: lower-case letters, digits, dots and hyphens. */
export function isTrustDomain(name: string): boolean {
  return namePattern.test(name);
}

/** SHA-256 of a certificate's subject public key info: by this, roots are known. */
export function spkiSha256(certificate: X509Certificate): Buffer {
  const spki = certificate.publicKey.export({ format: "der", type: "spki" });
  return createHash("sha256").update(spki).digest();
}
