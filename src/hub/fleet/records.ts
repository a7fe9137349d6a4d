import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import type { Row, Schema } from "../../base/sql.ts";
import type { Tx } from "../store/index.ts";
import type { NodeLabel } from "./labels.ts";

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
  ],
};

/** A node in memory. One per node for the life of the hub, so it is kept small: plain fields, the status as its bytes. */
export interface NodeRecord {
  id: string;
  hostName: string;
  certificateSerial: string;
  /** Of the newest certificate that was used; 0 when none was. */
  certificateIssuedAt: number;
  certificateExpiresAt: number;
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
  connected: boolean;
  sample: Sample | undefined;
  /** Commands without a result. */
  pending: number;
}

/** A record of a node that has never connected. */
export function newRecord(id: string, at: number): NodeRecord {
  return {
    id,
    hostName: "",
    certificateSerial: "",
    certificateIssuedAt: 0,
    certificateExpiresAt: 0,
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
    connected: false,
    sample: undefined,
    pending: 0,
  };
}

/** The record that a row of `nodes` tells, with its labels. Nobody is connected to a hub that has just started. */
export function toRecord(row: Row, labels: readonly NodeLabel[]): NodeRecord {
  return {
    ...newRecord(String(row.id), Number(row.enrolled_at)),
    hostName: String(row.host_name),
    certificateSerial: String(row.certificate_serial),
    certificateIssuedAt: Number(row.certificate_issued_at),
    certificateExpiresAt: Number(row.certificate_expires_at),
    changedAt: Number(row.changed_at ?? 0),
    seenAt: Number(row.seen_at ?? 0),
    daemonVersion: String(row.daemon_version),
    epoch: Number(row.epoch),
    instanceId: String(row.instance_id),
    status: row.status instanceof Uint8Array ? row.status : undefined,
    warning: String(row.warning),
    warnedAt: Number(row.warned_at),
    labels,
  };
}

/** A node that was let in, or let in again with a new certificate. Times in milliseconds since 1970. */
export interface EnrolledNode {
  nodeId: string;
  hostName: string;
  serial: string;
  expiresAt: number;
  at: number;
}

/** Takes a node in, or gives one that is there its new certificate. One that was removed is a node again. */
export async function insertNode(
  tx: Tx,
  { nodeId, hostName, serial, expiresAt, at }: EnrolledNode,
): Promise<void> {
  await tx.run("DELETE FROM removed_nodes WHERE id = $1", nodeId);
  await tx.run(
    `INSERT INTO nodes (id, host_name, certificate_serial, certificate_expires_at, enrolled_at, daemon_version, epoch,
       instance_id, warning, warned_at)
     VALUES ($1, $2, $3, $4, $5, '', 0, '', '', 0)
     ON CONFLICT (id) DO UPDATE SET host_name = excluded.host_name,
       certificate_serial = excluded.certificate_serial, certificate_expires_at = excluded.certificate_expires_at`,
    nodeId,
    hostName,
    serial,
    expiresAt,
    at,
  );
}

/** Writes a record as it is; one whose row is gone stays gone. */
export async function updateNode(tx: Tx, record: NodeRecord): Promise<void> {
  await tx.run(
    `UPDATE nodes SET host_name = $2, certificate_serial = $3, certificate_expires_at = $4, changed_at = $5, seen_at = $6,
       daemon_version = $7, epoch = $8, instance_id = $9, status = $10, warning = $11, warned_at = $12,
       certificate_issued_at = $13 WHERE id = $1`,
    record.id,
    record.hostName,
    record.certificateSerial,
    record.certificateExpiresAt,
    record.changedAt,
    record.seenAt,
    record.daemonVersion,
    record.epoch,
    record.instanceId,
    record.status ?? null,
    record.warning,
    record.warnedAt,
    record.certificateIssuedAt,
  );
}
