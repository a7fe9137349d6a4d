import { failure } from "../../base/failure.ts";
import type { EnrolOptions } from "./enrol.ts";
import { issueNode } from "./issue.ts";
import { requestedKey } from "./request.ts";

/** The certificate by which a node asks for the next one. Times are wall time in milliseconds. */
export interface Shown {
  nodeId: string;
  issuedAt: number;
  expiresAt: number;
}

/**
 * Issues the next certificate of a node, for the key of its signing request; the certificate, then the intermediates.
 * Nothing is written: what a node has been issued and never used changes nothing.
 * @throws {Failure} conflict: less than half of the present one's time is over. A node that is well never asks so early,
 * and one that is not, or is another machine with a copy of its key, cannot keep the hub busy with signing. invalid: the
 * signing request.
 */
export async function renew(
  { authority, certificateMs, now }: Pick<EnrolOptions, "authority" | "certificateMs" | "now">,
  { nodeId, issuedAt, expiresAt }: Shown,
  csrDer: Uint8Array,
): Promise<string> {
  const at = now();
  const halfAt = (issuedAt + expiresAt) / 2;
  if (at < halfAt) {
    throw failure(
      "conflict",
      `the certificate of node ${nodeId} is good until ${new Date(expiresAt).toISOString()}: ask for the next one after ${new Date(halfAt).toISOString()}`,
    );
  }
  const { publicKey } = await requestedKey(csrDer);
  const issued = await issueNode(authority, { id: nodeId, publicKey, at, validMs: certificateMs });
  return issued.certificatePem + authority.intermediatesPem;
}
