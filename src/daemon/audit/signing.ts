import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type AuditCheckpoint, AuditCheckpointSchema, AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import type { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import { signed } from "./checkpoint.ts";
import type { Recorder } from "./recorder.ts";
import { newest } from "./trail.ts";

export interface Signing {
  sql: Sql;
  audit: Recorder;
  journal: Journal;
  now: () => number;
  /** The key of the node's identity, PKCS #8 PEM; undefined before it has one. */
  keyPem: () => string | undefined;
}

/**
 * Signs the head of the chain, and tells it to the hub, when there is something new and a key to sign with. An entry that tells
 * of a checkpoint is nothing new.
 */
export function signHead({ sql, audit, journal, now, keyPem }: Signing): void {
  const pem = keyPem();
  const head = newest(sql);
  if (pem === undefined || head === undefined || head.kind === AuditKind.CHECKPOINT) return;
  const at = timestampFromMs(now());
  const { sequence, hash } = head;
  const { checkpoint, key } = signed(create(AuditCheckpointSchema, { sequence, hash, at }), pem);
  sql.atomically(() => {
    sql.run("INSERT OR IGNORE INTO audit_keys (sha256, spki) VALUES (?, ?)", key.sha256, key.spki);
    sql.run(
      "INSERT INTO audit_checkpoints (sequence, checkpoint) VALUES (?, ?)",
      Number(sequence),
      toBinary(AuditCheckpointSchema, checkpoint),
    );
    audit.record({
      ...{ kind: AuditKind.CHECKPOINT, action: "sign", subject: `audit/${sequence}`, outcome: "ok" },
      detail: `signed with the key ${key.sha256}`,
    });
    journal.record({ case: "auditCheckpoint", value: checkpoint }, { reason: "the audit trail was signed" });
  });
}

/** All checkpoints that are kept here, oldest first. One that cannot be read is undefined. */
export function checkpoints(sql: Sql): { place: number; checkpoint: AuditCheckpoint | undefined }[] {
  return sql.all("SELECT * FROM audit_checkpoints ORDER BY sequence").map(({ sequence, checkpoint }) => ({
    place: Number(sequence),
    checkpoint: readable(checkpoint as Uint8Array), // BLOB NOT NULL in a STRICT table.
  }));
}

/** The public key of a checkpoint, if one of this node is known by that name. */
export function keyOf(sql: Sql, sha256: string): Uint8Array | undefined {
  const row = sql.get("SELECT spki FROM audit_keys WHERE sha256 = ?", sha256);
  return row?.spki instanceof Uint8Array ? row.spki : undefined;
}

function readable(bytes: Uint8Array): AuditCheckpoint | undefined {
  try {
    return fromBinary(AuditCheckpointSchema, bytes);
  } catch {
    return undefined;
  }
}
