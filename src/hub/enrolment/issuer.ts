import type { webcrypto } from "node:crypto";
import type * as x509 from "@peculiar/x509";

/** Who signs the fleet's certificates, and the names that go with it. */
export interface Authority {
  /** What stands behind `spiffe://` in every certificate of this fleet. */
  readonly trustDomain: string;
  /** The root that nodes trust, as PEM. */
  readonly rootPem: string;
  /** SHA-256 of the root's subject public key info: what an enrolment token pins. */
  readonly rootSha256: Uint8Array;
  /** The certificates between an issued one and the root, issuer first, as PEM; empty when the root itself signs. */
  readonly intermediatesPem: string;
  readonly issuer: Issuer;
}

/** The certificate that signs, and its key. */
export interface Issuer {
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
}
