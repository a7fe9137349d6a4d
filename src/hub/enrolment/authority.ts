import "reflect-metadata"; // @peculiar/x509 needs it before itself.
import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { evidence } from "../../base/evidence.ts";
import { failure } from "../../base/failure.ts";
import { writeWhole } from "../../base/files.ts";
import { isTrustDomain, spkiSha256 } from "../../wire/tls.ts";
import { certificatesIn, checkChain, trustDomainsOf } from "./chain.ts";
import type { Authority, Issuer } from "./issuer.ts";
import { newRoot } from "./root.ts";
import { type Sealing, sealingBy } from "./sealing.ts";

/** The authority that a hub has in its files: its first, or the operator's. */
export interface FoundingAuthority extends Authority {
  /** Keeps the keys of those that follow. */
  readonly sealing: Sealing;
  /** Whether it is the operator's. */
  readonly isGiven: boolean;
}

export interface AuthorityOptions {
  /** Where the hub keeps the authority that it made itself. */
  folder: string;
  /** The setting; empty means that of the certificate, or `defaultTrustDomain` for a new one. */
  trustDomain: string;
  /** The operator's own authority as PEM files, instead of one that the hub makes. */
  given?: { certificateFile: string; keyFile: string };
  /** Why no new authority may be made, as the begin of a sentence; absent at a true first start. */
  mustExist?: string;
  now: () => number;
}

/** The trust domain of a hub that was not told another. `.internal` is kept for private use and never resolves outside. */
export const defaultTrustDomain = "orchestrator.internal";

/**
 * Opens the authority of this hub: the operator's PEM files, or what an earlier start made in `folder`, or a new one.
 * @throws {Failure} invalid: a given file cannot be used, with the reason. conflict: the trust domain is another, or the
 * authority is gone while the hub's state is not.
 */
export async function openAuthority(options: AuthorityOptions): Promise<FoundingAuthority> {
  const { folder, trustDomain, given, mustExist, now } = options;
  if (trustDomain !== "" && !isTrustDomain(trustDomain)) {
    throw failure(
      "invalid",
      `hub.trust_domain is ${evidence(trustDomain)}: lower-case letters, digits, '.' and '-' are allowed`,
    );
  }
  if (given) return { ...(await readAuthority(given, trustDomain, now())), isGiven: true };
  const files = { certificateFile: join(folder, "ca.pem"), keyFile: join(folder, "ca.key") };
  if (!existsSync(files.certificateFile)) {
    if (mustExist !== undefined) {
      throw failure(
        "conflict",
        `${mustExist}, but its certificate authority is not in ${folder}: put ca.pem and ca.key back from a backup. ` +
          "A new authority would lock out every node; to begin a new fleet, choose an empty data directory",
      );
    }
    await makeRoot(files, trustDomain || defaultTrustDomain, now());
  }
  return { ...(await readAuthority(files, trustDomain, now())), isGiven: false };
}

async function makeRoot(
  { certificateFile, keyFile }: { certificateFile: string; keyFile: string },
  trustDomain: string,
  at: number,
): Promise<void> {
  const { certificatePem, key } = await newRoot(trustDomain, 1, at);
  // The key first: a certificate without its key would look like an authority that lost it.
  await writeWhole(keyFile, key.export({ format: "pem", type: "pkcs8" }), 0o600);
  await writeWhole(certificateFile, certificatePem, 0o644);
}

async function readAuthority(
  { certificateFile, keyFile }: { certificateFile: string; keyFile: string },
  wanted: string,
  at: number,
): Promise<Omit<FoundingAuthority, "isGiven">> {
  const chain = certificatesIn(await readText(certificateFile), certificateFile);
  const key = privateKeyIn(await readText(keyFile), keyFile);
  const { issuer, root } = checkChain(chain, certificateFile, at);
  if (!issuer.checkPrivateKey(key)) {
    throw failure(
      "invalid",
      `the key in ${keyFile} does not belong to the first certificate in ${certificateFile}`,
    );
  }
  return {
    trustDomain: agreedTrustDomain(chain, wanted, certificateFile),
    rootPem: pem(root),
    rootSha256: new Uint8Array(spkiSha256(root)),
    intermediatesPem: chain.slice(0, -1).map(pem).join(""),
    issuer: issuerOf(issuer, key, keyFile),
    sealing: sealingBy(key),
  };
}

/** A root as an authority, from its certificate and its key. `where` says in a failure what the key was read from. */
export function authorityOf(
  certificate: X509Certificate,
  key: KeyObject,
  { trustDomain, where }: { trustDomain: string; where: string },
): Authority {
  return {
    trustDomain,
    rootPem: pem(certificate),
    rootSha256: new Uint8Array(spkiSha256(certificate)),
    intermediatesPem: "",
    issuer: issuerOf(certificate, key, where),
  };
}

function issuerOf(certificate: X509Certificate, key: KeyObject, where: string): Issuer {
  return {
    certificate: new x509.X509Certificate(certificate.raw),
    key: key.toCryptoKey(signingAlgorithm(key, where), false, ["sign"]),
  };
}

/** An authority that names its trust domain keeps it: every certificate it ever issued carries that name. */
function agreedTrustDomain(chain: readonly X509Certificate[], wanted: string, file: string): string {
  const named = chain.flatMap(trustDomainsOf)[0];
  if (named !== undefined && wanted !== "" && named !== wanted) {
    throw failure(
      "conflict",
      `hub.trust_domain is ${wanted}, but the authority in ${file} is that of ${named}: set it to ${named}, or leave it out`,
    );
  }
  return named ?? (wanted || defaultTrustDomain);
}

function signingAlgorithm(key: KeyObject, file: string): { name: string; hash: string; namedCurve?: string } {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const curve = { prime256v1: "P-256", secp384r1: "P-384" }[details?.namedCurve ?? ""];
  if (type === "ec" && curve) return { name: "ECDSA", hash: "SHA-256", namedCurve: curve };
  throw failure("invalid", `the key in ${file} is of a kind that is not supported: use P-256, P-384 or RSA`);
}

function privateKeyIn(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (thrown) {
    throw failure("invalid", `${file} holds no private key in PEM that can be read without a passphrase`, {
      cause: thrown,
    });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    throw failure("invalid", `${file} cannot be read: check that it is there, its owner and its mode`, {
      cause: thrown,
    });
  }
}

function pem(certificate: X509Certificate): string {
  return certificate.toString();
}
