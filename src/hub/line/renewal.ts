import { create } from "@bufbuild/protobuf";
import {
  type Reject,
  RejectCode,
  type RenewalAnswer,
  RenewalAnswerSchema,
  type RenewalWanted,
  RenewalWantedSchema,
} from "../../../gen/edge/v1/control_pb.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import type { Asked, Renewed, Shown, Trusting } from "../enrolment/index.ts";
import { reject } from "./admission.ts";
import type { Visitor } from "./door.ts";

/** Issues a node's next certificate. Fails as `renew` of the enrolment room does. */
export type Renew = (shown: Shown, asked: Asked) => Promise<Renewed>;

/** What a certificate lets its owner do: all that a node may; ask for the next one, and no more; nothing. */
export type Standing = "good" | "renewable" | "expired";

/** `graceMs` is how long after its end a certificate may still be renewed. Times are wall time in milliseconds. */
export function standingOf(expiresAt: number, graceMs: number, now: number): Standing {
  if (now < expiresAt) return "good";
  return now < expiresAt + graceMs ? "renewable" : "expired";
}

/** What the owner of an expired certificate is told. */
export function rejectExpired(
  { nodeId, certificateExpiresAt }: Visitor,
  standing: Exclude<Standing, "good">,
): Reject {
  const what = `the certificate of node ${nodeId} expired on ${new Date(certificateExpiresAt).toISOString()}`;
  if (standing === "renewable") return reject(RejectCode.EXPIRED, `${what}: it can be renewed by its key`);
  const last = reject(
    RejectCode.EXPIRED,
    `${what}, too long ago to be renewed: enrol the node anew with \`orchestrator daemon enroll --force --token ...\` and a token of \`orchestrator hub token create --for-node ${nodeId}\``,
  );
  last.retryable = false;
  return last;
}

/** The answer to a node that asks for its next certificate. Never rejects. */
export async function answerRenewal(
  renew: Renew,
  { nodeId, rootId, certificateIssuedAt, certificateExpiresAt }: Visitor,
  { asked, isWanted }: { asked: Asked; isWanted: boolean },
): Promise<RenewalAnswer> {
  const shown = { nodeId, rootId, issuedAt: certificateIssuedAt, expiresAt: certificateExpiresAt, isWanted };
  try {
    return create(RenewalAnswerSchema, await renew(shown, asked));
  } catch (thrown) {
    return create(RenewalAnswerSchema, { refusal: toFailureMessage(thrown) });
  }
}

/**
 * Whether a node has the certificate and the roots that it should have: of the newest root; trusting all that are trusted here and no
 * others; and not one of the future, which a hub has issued whose clock was ahead.
 */
export function isUpToDate(
  { rootId, certificateIssuedAt }: Visitor,
  trusts: readonly Uint8Array[],
  trusted: Trusting["trusted"],
  now: number,
): boolean {
  const names = (roots: readonly Uint8Array[]) => roots.map((one) => Buffer.from(one).toString("hex")).sort();
  const wanted = names(trusted.map(({ authority }) => authority.rootSha256));
  return rootId === trusted[0]?.id && certificateIssuedAt <= now && names(trusts).join() === wanted.join();
}

/** Has nodes ask within a time that is long enough to sign for all of them. */
export function renewalWanted(spreadMs: number): RenewalWanted {
  return create(RenewalWantedSchema, { spreadMs, reason: "another certificate waits for this node" });
}
