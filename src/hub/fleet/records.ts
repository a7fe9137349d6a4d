import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import { Transport } from "../../../gen/edge/v1/transport_pb.ts";
import { inPieces, valuesOf } from "../../base/many-rows.ts";
import type { Row, Schema } from "../../base/sql.ts";
import type { Tx } from "../store/index.ts";
import type { NodeLabel } from "./labels.ts";
import { nextRevision } from "./revision.ts";

/** The tables of this room. */
export const fleetSchema: Schema = {
  room: "fleet",
  migrations: [
    `CREATE TABLE nodes (
       id TEXT PRIMARY KEY,
       host_name TEXT NOT NULL,
       certificate_serial TEXT NOT NULL,
       certificate_expires_at BIGINT NOT NULL,
       enrolled_at BIGINT NOT NULL,
       changed_at BIGINT,
       seen_at BIGINT,
       daemon_version TEXT NOT NULL,
       epoch BIGINT NOT NULL,
       instance_id TEXT NOT NULL,
       status BLOB,
       warning TEXT NOT NULL,
       warned_at BIGINT NOT NULL
     );
     CREATE TABLE removed_nodes (id TEXT PRIMARY KEY, removed_at BIGINT NOT NULL);`,
    "ALTER TABLE nodes ADD COLUMN certificate_issued_at BIGINT NOT NULL DEFAULT 0",
    `CREATE TABLE node_labels (
       node_id TEXT NOT NULL,
       key TEXT NOT NULL,
       value TEXT NOT NULL,
       PRIMARY KEY (node_id, key)
     );`,
    `ALTER TABLE removed_nodes ADD COLUMN host_name TEXT NOT NULL DEFAULT '';
     ALTER TABLE removed_nodes ADD COLUMN certificate_serial TEXT NOT NULL DEFAULT '';
     ALTER TABLE removed_nodes ADD COLUMN workloads BIGINT;`,
    `ALTER TABLE nodes ADD COLUMN owner TEXT NOT NULL DEFAULT '';
     ALTER TABLE nodes ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
     ALTER TABLE removed_nodes ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
     CREATE INDEX nodes_changed ON nodes (revision);
     CREATE INDEX removed_nodes_changed ON removed_nodes (revision);
     CREATE INDEX nodes_owned ON nodes (owner) WHERE owner <> '';
     CREATE TABLE fleet_revisions (one BIGINT PRIMARY KEY, last BIGINT NOT NULL);
     INSERT INTO fleet_revisions (one, last) VALUES (1, 0);`,
    "ALTER TABLE nodes ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
    `ALTER TABLE nodes ADD COLUMN revoked_at BIGINT NOT NULL DEFAULT 0;
     ALTER TABLE nodes ADD COLUMN address TEXT NOT NULL DEFAULT '';
     ALTER TABLE nodes ADD COLUMN former_instance_id TEXT NOT NULL DEFAULT '';`,
  ],
};

/** A node in memory. One per node for the life of the hub, so it is kept small: plain fields, the status as its bytes. */
export interface NodeRecord {
  id: string;
  /** The tenant that it belongs to; empty when to none. */
  tenant: string;
  hostName: string;
  certificateSerial: string;
  /** Of the newest certificate that was used; 0 when none was. */
  certificateIssuedAt: number;
  certificateExpiresAt: number;
  /** When its certificates were revoked; 0 when they are good. */
  revokedAt: number;
  /** Where its line came from last. */
  address: string;
  enrolledAt: number;
  /** When its line came up or went down; 0 when it never connected. */
  changedAt: number;
  /** When it was last heard; 0 when it never was. */
  seenAt: number;
  daemonVersion: string;
  /** The fence: the highest session epoch seen, and the instance that had it. */
  epoch: number;
  instanceId: string;
  status: Uint8Array | undefined;
  warning: string;
  warnedAt: number;
  /** Ordered by key. */
  labels: readonly NodeLabel[];
  /** The replica that has its line, as the store says; empty when none has. */
  owner: string;
  /** Of the newest row that was seen: see `nextRevision`. */
  revision: number;
  /** Whether this replica let its newest stream in, and that has not ended. */
  isHeld: boolean;
  /** Whether its line is up, here or at another replica. */
  connected: boolean;
  /** How its line travels, where this replica holds it. In memory only. */
  transport: Transport;
  sample: Sample | undefined;
  /** Commands without a result. */
  pending: number;
}

/** A record of a node that has never connected. */
export function newRecord(id: string, at: number): NodeRecord {
  return {
    id,
    tenant: "",
    hostName: "",
    certificateSerial: "",
    certificateIssuedAt: 0,
    certificateExpiresAt: 0,
    revokedAt: 0,
    address: "",
    enrolledAt: at,
    changedAt: 0,
    seenAt: 0,
    daemonVersion: "",
    epoch: 0,
    instanceId: "",
    status: undefined,
    warning: "",
    warnedAt: 0,
    labels: [],
    owner: "",
    revision: 0,
    isHeld: false,
    connected: false,
    transport: Transport.UNSPECIFIED,
    sample: undefined,
    pending: 0,
  };
}

/** The record that a row of `nodes` tells, with its labels. Whether it is connected, its owner's life says. */
export function toRecord(row: Row, labels: readonly NodeLabel[]): NodeRecord {
  return {
    ...newRecord(String(row.id), Number(row.enrolled_at)),
    tenant: String(row.tenant),
    hostName: String(row.host_name),
    certificateSerial: String(row.certificate_serial),
    certificateIssuedAt: Number(row.certificate_issued_at),
    certificateExpiresAt: Number(row.certificate_expires_at),
    revokedAt: Number(row.revoked_at),
    address: String(row.address),
    changedAt: Number(row.changed_at ?? 0),
    seenAt: Number(row.seen_at ?? 0),
    daemonVersion: String(row.daemon_version),
    epoch: Number(row.epoch),
    instanceId: String(row.instance_id),
    status: row.status instanceof Uint8Array ? row.status : undefined,
    warning: String(row.warning),
    warnedAt: Number(row.warned_at),
    labels,
    owner: String(row.owner),
    revision: Number(row.revision),
  };
}

/** A node that was let in, or let in again with a new certificate. Times in milliseconds since 1970. */
export interface EnrolledNode {
  nodeId: string;
  /** The tenant that a node which is new belongs to; one that is known stays with its own. */
  tenant?: string;
  hostName: string;
  serial: string;
  expiresAt: number;
  at: number;
  /** It is in the fleet, and no certificate from before this one, which was issued then, is good any more. */
  backSince?: number | undefined;
}

/** Takes a node in, or gives one that is there its new certificate. One that was removed is a node again. */
export async function insertNode(
  tx: Tx,
  { nodeId, tenant = "", hostName, serial, expiresAt, at, backSince }: EnrolledNode,
): Promise<{ revision: number }> {
  const revision = await nextRevision(tx);
  await tx.run("DELETE FROM removed_nodes WHERE id = $1", nodeId);
  await tx.run(
    `INSERT INTO nodes (id, host_name, certificate_serial, certificate_expires_at, enrolled_at, daemon_version, epoch,
       instance_id, warning, warned_at, revision, tenant)
     VALUES ($1, $2, $3, $4, $5, '', 0, '', '', 0, $6, $7)
     ON CONFLICT (id) DO UPDATE SET host_name = excluded.host_name, certificate_serial = excluded.certificate_serial,
       certificate_expires_at = excluded.certificate_expires_at, revision = excluded.revision`,
    nodeId,
    hostName,
    serial,
    expiresAt,
    at,
    revision,
    tenant,
  );
  if (backSince !== undefined) {
    // Its disk may be another one: what it counted from begins anew.
    await tx.run(
      `UPDATE nodes SET revoked_at = 0, certificate_issued_at = $2, epoch = 0, instance_id = '', former_instance_id = ''
       WHERE id = $1`,
      nodeId,
      backSince,
    );
  }
  return { revision };
}

/** A node of which this replica let in the newest stream; `heldBy` is empty when that has ended. */
export interface Held {
  record: NodeRecord;
  heldBy: string;
}

/**
 * Writes what the streams of nodes said, and whose they are. Of one that another replica has let in since, nothing is written.
 * Returns those that were.
 */
export async function updateNodes(
  tx: Tx,
  held: readonly Held[],
  { replicaId, revision }: { replicaId: string; revision: number },
): Promise<Held[]> {
  const written = new Set<string>();
  for (const some of inPieces(held)) {
    const rows = await tx.all(
      `WITH said (node_id, holder, changed, seen, what, stream, replica, number) AS
         (VALUES ${valuesOf(["TEXT", "TEXT", "BIGINT", "BIGINT", "BLOB", "BIGINT", "TEXT", "BIGINT"], some.length)})
       UPDATE nodes SET owner = holder, changed_at = changed, seen_at = seen, status = what, revision = number
       FROM said WHERE id = node_id AND epoch = stream AND (owner = replica OR owner = '') RETURNING id`,
      ...some.flatMap(({ record: { id, changedAt, seenAt, status, epoch }, heldBy }) => [
        ...[id, heldBy, changedAt, seenAt, status ?? null, epoch, replicaId, revision],
      ]),
    );
    for (const row of rows) written.add(String(row.id));
  }
  return held.filter(({ record }) => written.has(record.id));
}

/** Writes a warning, whoever gives it. */
export async function updateWarning(
  tx: Tx,
  { id, warning, warnedAt }: NodeRecord,
  revision: number,
): Promise<void> {
  await tx.run(
    `UPDATE nodes SET warning = $2, warned_at = $3, revision = $4
     WHERE id = $1 AND (warned_at < $3 OR (warned_at = $3 AND warning <> $2))`,
    ...[id, warning, warnedAt, revision],
  );
}
