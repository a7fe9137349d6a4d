import { createPrivateKey, X509Certificate } from "node:crypto";
import { failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import { spkiSha256 } from "../../wire/tls.ts";
import type { Tx } from "../store/index.ts";
import { authorityOf, type FoundingAuthority } from "./authority.ts";
import type { Authority } from "./issuer.ts";
import type { NewRoot } from "./root.ts";

/** A root as the store has it. Times are wall time in milliseconds. */
export interface KeptRoot {
  id: string;
  certificatePem: string;
  /** By which the root before vouches for this one; empty for the first. */
  vouchedPem: string;
  madeAt: number;
  retiredAt?: number;
}

/** A root that is trusted, with what is needed to sign with it. */
export interface TrustedRoot extends KeptRoot {
  authority: Authority;
  /** Whose signature is on the certificates of its nodes. */
  issuer: X509Certificate;
}

/** The id of a root: enough of its fingerprint to tell it from the others. */
export function rootId(sha256: Uint8Array): string {
  return Buffer.from(sha256).toString("hex").slice(0, 16);
}

/** Notes the founding root, if no root is noted yet. */
export async function insertFounding(tx: Tx, { rootPem, rootSha256 }: Authority, at: number): Promise<void> {
  const madeAt = Math.min(at, new X509Certificate(rootPem).validFromDate.getTime());
  await tx.run(
    "INSERT INTO roots (id, certificate_pem, vouched_pem, made_at) VALUES ($1, $2, '', $3) ON CONFLICT (id) DO NOTHING",
    rootId(rootSha256),
    rootPem,
    madeAt,
  );
}

/** Adds a root, with its key sealed. */
export async function insertRoot(
  tx: Tx,
  { certificatePem, key }: NewRoot,
  { vouchedPem, founding, at }: { vouchedPem: string; founding: FoundingAuthority; at: number },
): Promise<string> {
  const id = rootId(spkiSha256(new X509Certificate(certificatePem)));
  const sealed = founding.sealing.seal(id, key.export({ format: "der", type: "pkcs8" }));
  await tx.run(
    "INSERT INTO roots (id, certificate_pem, vouched_pem, sealed_key, made_at) VALUES ($1, $2, $3, $4, $5)",
    id,
    certificatePem,
    vouchedPem,
    sealed,
    at,
  );
  return id;
}

/** A row of `roots`. */
export function toKept(row: Row): KeptRoot {
  return {
    id: String(row.id),
    certificatePem: String(row.certificate_pem),
    vouchedPem: String(row.vouched_pem),
    madeAt: Number(row.made_at),
    ...(row.retired_at !== null && { retiredAt: Number(row.retired_at) }),
  };
}

/**
 * A row of `roots` as an authority that can sign.
 * @throws {Failure} conflict: its key cannot be opened by the founding authority's that this hub has.
 */
export function toTrusted(row: Row, founding: FoundingAuthority): TrustedRoot {
  const kept = toKept(row);
  const authority = row.sealed_key instanceof Uint8Array ? opened(kept, row.sealed_key, founding) : founding;
  return {
    ...kept,
    authority,
    issuer: new X509Certificate(authority.intermediatesPem + authority.rootPem),
  };
}

function opened(
  { id, certificatePem }: KeptRoot,
  sealed: Uint8Array,
  founding: FoundingAuthority,
): Authority {
  const { trustDomain, sealing } = founding;
  try {
    const der = Buffer.from(sealing.open(id, sealed));
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    return authorityOf(new X509Certificate(certificatePem), key, { trustDomain, where: `root ${id}` });
  } catch (cause) {
    const sentence = `the key of root ${id} in the store cannot be opened: it was sealed with another founding authority's, or is damaged`;
    throw failure("conflict", `${sentence}; put the ca.key back with which this fleet began`, { cause });
  }
}
