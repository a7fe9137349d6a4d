import type { Message } from "@bufbuild/protobuf";
import type { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import type { Caller } from "../../../gen/edge/v1/policy_pb.ts";

/** What is noted. No field of it may hold a secret: they are read by whoever may read the trail. */
export interface AuditRecord {
  kind: AuditKind;
  /** Who caused it; absent when the node itself did. */
  caller?: Caller | undefined;
  commandId?: string;
  /** What was asked or done, as in `deploy_agent`, `lend`. */
  action: string;
  /** What it was about, as in `agent/poet`, `credential/openai`. */
  subject?: string;
  /** `allowed`, `denied`, `ok`, or the kind of a failure. */
  outcome: string;
  detail?: string;
  /** What was asked. Of it only the hash is kept. */
  request?: Message | undefined;
}

/** Who may add to the trail. */
export interface Recorder {
  /**
   * Adds an entry: on disk when this returns, or with the transaction around it.
   * @throws {Failure} exhausted, unavailable: the disk does not take it. What it is about must then not be done.
   */
  record(entry: AuditRecord): void;
}
