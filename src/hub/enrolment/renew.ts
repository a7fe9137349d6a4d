import { failure } from "../../base/failure.ts";
import { issueNode } from "./issue.ts";
import { requestedKey } from "./request.ts";
import type { Roots } from "./roots.ts";

/** The certificate by which a node asks for the next one. Times are wall time in milliseconds. */
export interface Shown {
  nodeId: string;
  /** The root that signed it. */
  rootId: string;
  issuedAt: number;
  expiresAt: number;
  /** The hub wanted it to be renewed: its root, or what its node trusts, is not what it should be. */
  isWanted: boolean;
}

/** What a node asks with. */
export interface Asked {
  csrDer: Uint8Array;
  /** Whether it keeps the roots that come with the answer. */
  takesRoots: boolean;
}

/** What it gets, as PEM. */
export interface Renewed {
  /** The certificate, then the intermediates. */
  certificatePem: string;
  /** All roots that it shall trust, and by which older ones vouch for newer; empty for a node that does not take them. */
  caPem: string;
}

export interface RenewOptions {
  roots: Pick<Roots, "issuing" | "trusted" | "bundlePem">;
  certificateMs: number;
  now: () => number;
}

/**
 * Issues the next certificate of a node, for the key of its signing request. Nothing is written: what a node has been issued and
 * never used changes nothing. A node that takes no roots keeps to its own, as long as that is trusted: it would not believe another.
 * @throws {Failure} conflict: less than half of the present one's time is over. A node that is well never asks so early,
 * and one that is not, or is another machine with a copy of its key, cannot keep the hub busy with signing. invalid: the
 * signing request.
 */
export async function renew(
  { roots, certificateMs, now }: RenewOptions,
  { nodeId, rootId, issuedAt, expiresAt, isWanted }: Shown,
  { csrDer, takesRoots }: Asked,
): Promise<Renewed> {
  const at = now();
  const halfAt = (issuedAt + expiresAt) / 2;
  if (at < halfAt && !isWanted) {
    throw failure(
      "conflict",
      `the certificate of node ${nodeId} is good until ${new Date(expiresAt).toISOString()}: ask for the next one after ${new Date(halfAt).toISOString()}`,
    );
  }
  const { publicKey } = await requestedKey(csrDer);
  const own = roots.trusted.find(({ id }) => id === rootId);
  const { authority } = takesRoots ? roots.issuing : (own ?? roots.issuing);
  const issued = await issueNode(authority, { id: nodeId, publicKey, at, validMs: certificateMs });
  return {
    certificatePem: issued.certificatePem + authority.intermediatesPem,
    caPem: takesRoots ? roots.bundlePem : "",
  };
}
