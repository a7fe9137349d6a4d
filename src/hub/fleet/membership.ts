import type { Store, Tx } from "../store/index.ts";
import { type EnrolledNode, insertNode, type NodeRecord, newRecord } from "./records.ts";
import { deleteNode, type Removal } from "./removal.ts";
import type { Roster } from "./roster.ts";

/** What else must happen when a node is removed, or has a newer line elsewhere. */
export interface RemovalWitness {
  /** Within the transaction that removes it, which is about the node; what it returns is called after the commit. */
  drop?(tx: Tx, nodeId: string): Promise<() => void>;
  /** After the commit, on every replica: whatever is open to that node ends. */
  cut?(nodeId: string): void;
  /** Another replica let in a newer stream of the node: the one that is open here ends. */
  oust?(nodeId: string): void;
}

/** Takes a node in, or notes its new certificate: in the store, then in memory. */
export async function takeIn(store: Store, { records, removed }: Roster, one: EnrolledNode): Promise<void> {
  const { revision } = await store.write((tx) => insertNode(tx, one), [`node ${one.nodeId}`]);
  removed.delete(one.nodeId);
  const fresh = () => ({ ...newRecord(one.nodeId, one.at), tenant: one.tenant ?? "" });
  const record = records.get(one.nodeId) ?? fresh();
  record.hostName = one.hostName;
  record.certificateSerial = one.serial;
  record.certificateExpiresAt = one.expiresAt;
  record.revision = revision;
  if (one.backSince !== undefined) {
    Object.assign(record, { revokedAt: 0, certificateIssuedAt: one.backSince, epoch: 0, instanceId: "" });
  }
  records.set(one.nodeId, record);
}

/** Takes a node out: in memory at once, so that it is nobody from now on, and as it was when the store does not take it. */
export async function takeOut(
  store: Store,
  { records, removed }: Roster,
  {
    record,
    removal,
    at,
    witnesses,
  }: { record: NodeRecord; removal: Removal; at: number; witnesses: readonly RemovalWitness[] },
): Promise<void> {
  const { id } = record;
  const drop = async (tx: Tx) => {
    const revision = await deleteNode(tx, record, removal, at);
    const settle: (() => void)[] = [];
    for (const witness of witnesses) {
      const done = await witness.drop?.(tx, id);
      if (done) settle.push(done);
    }
    return { revision, settle };
  };
  records.delete(id);
  removed.set(id, { ...removal, revision: record.revision });
  try {
    const { revision, settle } = await store.write(drop, [`node ${id}`]);
    removed.set(id, { ...removal, revision });
    for (const done of settle) done();
  } catch (thrown) {
    removed.delete(id);
    records.set(id, record);
    throw thrown;
  }
  for (const witness of witnesses) witness.cut?.(id);
}
