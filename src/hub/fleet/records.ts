import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
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
}

/** Takes a node in, or gives one that is there its new certificate. One that was removed is a node again. */
export async function insertNode(
  tx: Tx,
  { nodeId, tenant = "", hostName, serial, expiresAt, at }: EnrolledNode,
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
  return { revision };
}

/** Who may write what a stream says of its node: the replica that let in the newest one. `heldBy` is empty when that has ended. */
export interface Holding {
  replicaId: string;
  heldBy: string;
  revision: number;
}

/**
 * Writes what the stream of a node said, and whose it is. Of one that another replica has let in since, nothing is written. Says whether
 * it was.
 */
export async function updateNode(
  tx: Tx,
  { id, changedAt, seenAt, status, epoch }: NodeRecord,
  { replicaId, heldBy, revision }: Holding,
): Promise<boolean> {
  const changed = await tx.run(
    `UPDATE nodes SET owner = $2, changed_at = $3, seen_at = $4, status = $5, revision = $6
     WHERE id = $1 AND epoch = $7 AND (owner = $8 OR owner = '')`,
    ...[id, heldBy, changedAt, seenAt, status ?? null, revision, epoch, replicaId],
  );
  return changed === 1;
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
