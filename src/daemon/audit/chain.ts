import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { type AuditEntry, AuditEntrySchema } from "../../../gen/edge/v1/audit_pb.ts";

/** What the first entry of all has in the place of the hash before it. */
export const beginning = new Uint8Array(32);

/** An entry's hash: SHA-256 of it in the contract's binary form, with its hash empty. The hash before it is a part of it. */
export function hashOf(entry: AuditEntry): Uint8Array {
  const bytes = toBinary(AuditEntrySchema, { ...entry, hash: new Uint8Array() });
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** The entry with its place, the hash before it, and its own. */
export function chained(
  entry: AuditEntry,
  before: Pick<AuditEntry, "sequence" | "hash"> | undefined,
): AuditEntry {
  const sequence = (before?.sequence ?? 0n) + 1n;
  const placed = { ...entry, sequence, previousHash: before?.hash ?? beginning };
  return { ...placed, hash: hashOf(placed) };
}
