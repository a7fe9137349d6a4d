import { X509Certificate } from "node:crypto";
import { failure } from "../../base/failure.ts";

/**
 * The certificates of a PEM text, in order.
 * @throws {Failure} invalid: there is none, or one cannot be read.
 */
export function certificatesIn(text: string, file: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw failure("invalid", `${file} holds no certificate in PEM`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (thrown) {
      throw failure("invalid", `certificate ${index + 1} in ${file} cannot be read`, { cause: thrown });
    }
  });
}

/**
 * Checks that a chain can be an authority: each certificate may sign, is valid at `at` and is signed by the next, and the
 * last is a root, signed by itself.
 * @throws {Failure} invalid, naming the certificate and what is wrong with it.
 */
export function checkChain(
  chain: readonly X509Certificate[],
  file: string,
  at: number,
): { issuer: X509Certificate; root: X509Certificate } {
  const issuer = chain[0];
  const root = chain.at(-1);
  if (!issuer || !root) throw failure("invalid", `${file} holds no certificate in PEM`);
  for (const [index, certificate] of chain.entries()) {
    const which = `certificate ${index + 1} in ${file} (${oneLine(certificate.subject)})`;
    if (!certificate.ca) {
      throw failure("invalid", `${which} is not that of a certificate authority: it may not sign others`);
    }
    if (at >= certificate.validToDate.getTime()) {
      throw failure("invalid", `${which} expired on ${certificate.validToDate.toISOString()}`);
    }
    if (at < certificate.validFromDate.getTime()) {
      throw failure(
        "invalid",
        `${which} is not valid before ${certificate.validFromDate.toISOString()}: check this machine's clock`,
      );
    }
    const next = chain[index + 1] ?? certificate;
    if (certificate.checkIssued(next) && certificate.verify(next.publicKey)) continue;
    throw failure(
      "invalid",
      next === certificate
        ? `${which} is the last and is not a root: append its issuer's certificates, up to the one that signed itself`
        : `${which} was not signed by the one after it: put the issuer first, then each one's signer, the root last`,
    );
  }
  return { issuer, root };
}

/** The trust domains that a certificate names: URIs of the form `spiffe://<trust domain>`. */
export function trustDomainsOf(certificate: X509Certificate): string[] {
  return [
    ...(certificate.subjectAltName ?? "").matchAll(/(?:^|, )URI:spiffe:\/\/([a-z0-9.-]+)(?=,|$)/g),
  ].flatMap(([, name]) => name ?? []);
}

function oneLine(subject: string | undefined): string {
  return subject === undefined || subject === "" ? "no subject" : subject.replaceAll("\n", ", ");
}
