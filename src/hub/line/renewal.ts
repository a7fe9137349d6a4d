import { create } from "@bufbuild/protobuf";
import {
  type Reject,
  RejectCode,
  type RenewalAnswer,
  RenewalAnswerSchema,
} from "../../../gen/edge/v1/control_pb.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import { reject } from "./admission.ts";
import type { Visitor } from "./door.ts";

/** Issues a node's next certificate. Fails as `renew` of the enrolment room does. */
export type Renew = (
  shown: { nodeId: string; issuedAt: number; expiresAt: number },
  csrDer: Uint8Array,
) => Promise<string>;

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
    `${what}, too long ago to be renewed: enrol the node anew with \`orchestrator daemon enroll --force --token ...\``,
  );
  last.retryable = false;
  return last;
}

/** The answer to a node that asks for its next certificate. Never rejects. */
export async function answerRenewal(
  renew: Renew,
  { nodeId, certificateIssuedAt, certificateExpiresAt }: Visitor,
  csrDer: Uint8Array,
): Promise<RenewalAnswer> {
  const shown = { nodeId, issuedAt: certificateIssuedAt, expiresAt: certificateExpiresAt };
  try {
    return create(RenewalAnswerSchema, { certificatePem: await renew(shown, csrDer) });
  } catch (thrown) {
    return create(RenewalAnswerSchema, { refusal: toFailureMessage(thrown) });
  }
}
