import type {
  ListAuditRequest,
  ListAuditResponse,
  VerifyAuditRequest,
  VerifyAuditResponse,
} from "../../../gen/edge/v1/audit_pb.ts";
import type { Ask } from "../work/index.ts";
import type { Audit } from "./audit.ts";

interface Rooms {
  audit: Audit;
}

/** Entries of the trail. */
export function listAudit(
  { audit }: Rooms,
  request: ListAuditRequest,
  { signal }: Ask,
): Promise<ListAuditResponse> {
  return audit.list(request, signal);
}

/** Whether it is as it was written. */
export function verifyAudit(
  { audit }: Rooms,
  { checkpoints }: VerifyAuditRequest,
  { signal }: Ask,
): Promise<VerifyAuditResponse> {
  return audit.verify(checkpoints, signal);
}
