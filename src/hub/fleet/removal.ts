import { LeftWorkloads } from "../../../gen/edge/v1/node_pb.ts";
import type { Row } from "../../base/sql.ts";
import type { Tx } from "../store/index.ts";
import type { NodeRecord } from "./records.ts";
import { nextRevision } from "./revision.ts";

/** What a node that was removed is told when it dials. */
export interface Removal {
  /** What becomes of its workloads; undefined when it is told nothing, and only refused. */
  workloads: LeftWorkloads | undefined;
}

/** A removal as it is kept. */
export interface KeptRemoval extends Removal {
  revision: number;
}

/**
 * Takes a node out, and remembers that it was one, by which certificate it was known, and what it is to be told. Returns the revision.
 */
export async function deleteNode(
  tx: Tx,
  { id, hostName, certificateSerial }: NodeRecord,
  { workloads }: Removal,
  at: number,
): Promise<number> {
  const revision = await nextRevision(tx);
  await tx.run("DELETE FROM nodes WHERE id = $1", id);
  await tx.run("DELETE FROM node_labels WHERE node_id = $1", id);
  await tx.run(
    `INSERT INTO removed_nodes (id, removed_at, host_name, certificate_serial, workloads, revision)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
    ...[id, at, hostName, certificateSerial, workloads ?? null, revision],
  );
  return revision;
}

/** The removal that a row of `removed_nodes` tells. */
export function toRemoval({ workloads, revision }: Row): KeptRemoval {
  const known = [LeftWorkloads.PURGE, LeftWorkloads.KEEP].find((one) => one === Number(workloads));
  const isTold = workloads !== null && workloads !== undefined;
  return { workloads: isTold ? (known ?? LeftWorkloads.KEEP) : undefined, revision: Number(revision) };
}
