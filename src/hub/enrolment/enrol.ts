import { randomBytes } from "node:crypto";
import { failure } from "../../base/failure.ts";
import { issueNode } from "./issue.ts";
import { requestedKey } from "./request.ts";
import type { Roots } from "./roots.ts";
import type { Tokens } from "./tokens.ts";

/** A node that is let in. Times are wall time in milliseconds. */
export interface NewNode {
  nodeId: string;
  /** The tenant that it belongs to when it is new; empty for none. */
  tenant: string;
  hostName: string;
  /** Serial number of its certificate: upper-case hexadecimal. */
  serial: string;
  issuedAt: number;
  expiresAt: number;
  at: number;
  /** Its token named it: it has been in the fleet, and none of its certificates from before is good any more. */
  isBack: boolean;
}

export interface EnrolOptions {
  roots: Pick<Roots, "issuing" | "rootsPem" | "holders">;
  tokens: Tokens;
  /** How long a node's certificate is good. */
  certificateMs: number;
  /** Puts the node into the fleet; on disk when it resolves. A node that is there already gets the new certificate. */
  admit(node: NewNode): Promise<void>;
  /** Whether the node is in the fleet. */
  isKnown(nodeId: string): Promise<boolean>;
  now: () => number;
}

/** What a node that was let in gets. */
export interface Enrolled {
  nodeId: string;
  /** The node's certificate, then the intermediates. */
  certificatePem: string;
  /** The roots that it shall trust. */
  caPem: string;
  expiresAt: number;
}

/**
 * Exchanges a token and a signing request for an identity. The same token with the same key may be exchanged again while it
 * is valid, and gives the same node id: an answer that was lost on its way burns nothing.
 * @throws {Failure} denied: the token, with a sentence that says what is wrong with it. invalid: the signing request; the
 * token is then not used up.
 */
export async function enrol(
  { roots, tokens, certificateMs, admit, isKnown, now }: EnrolOptions,
  request: { tokenId: string; tokenSecret: Uint8Array; csrDer: Uint8Array; hostName: string },
): Promise<Enrolled> {
  const token = { id: request.tokenId, secret: request.tokenSecret };
  // First whether the caller may ask at all: the signature of a stranger's request is not worth the CPU.
  await tokens.check(token);
  const key = await requestedKey(request.csrDer);
  const { nodeId, wasEnrolled, isBack, tenant } = await tokens.use({
    ...token,
    keySha256: key.sha256,
    newNodeId: newNodeId(),
  });
  if ((wasEnrolled || isBack) && !(await isKnown(nodeId))) {
    throw failure(
      "denied",
      `the token is for node ${nodeId}, which was removed from the fleet since: ask for a new token`,
    );
  }
  const at = now();
  const { id: rootId, authority } = roots.issuing;
  const issued = await issueNode(authority, {
    id: nodeId,
    publicKey: key.publicKey,
    at,
    validMs: certificateMs,
  });
  const { serial, issuedAt, expiresAt } = issued;
  await admit({ nodeId, hostName: request.hostName, serial, issuedAt, expiresAt, at, isBack, tenant });
  await roots.holders.note(nodeId, rootId);
  await tokens.enrolled(token.id);
  return {
    nodeId,
    certificatePem: issued.certificatePem + authority.intermediatesPem,
    caPem: roots.rootsPem,
    expiresAt,
  };
}

const letters = "abcdefghijklmnopqrstuvwxyz234567";

/** Ten letters of base32: short enough to type, and fifty bits that nobody can guess. */
export function newNodeId(): string {
  return `n-${[...randomBytes(10)].map((byte) => letters[byte % letters.length]).join("")}`;
}
