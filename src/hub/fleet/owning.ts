import { failure } from "../../base/failure.ts";
import type { Store, Tx } from "../store/index.ts";
import type { NodeRecord } from "./records.ts";
import { nextRevision } from "./revision.ts";

/** Nodes that one commit frees of an owner that is gone. */
const freedAtOnce = 500;

/**
 * Refuses what an older stream of a node still wants to do to it.
 * @throws {Failure} conflict: a newer stream was let in, here or at another replica.
 */
export async function mustHold(
  tx: Tx,
  { id, epoch, replicaId }: { id: string; epoch: number; replicaId: string },
): Promise<void> {
  const row = await tx.get(
    "SELECT 1 FROM nodes WHERE id = $1 AND epoch = $2 AND owner = $3",
    ...[id, epoch, replicaId],
  );
  if (!row) throw failure("conflict", `a newer stream of node ${id} took over`);
}

/** In memory: the nodes of a replica that is gone are not connected. Returns their ids. */
export function disown(records: Iterable<NodeRecord>, replicaId: string): string[] {
  const left: string[] = [];
  for (const record of records) {
    if (record.owner !== replicaId || !record.connected) continue;
    record.connected = false;
    record.sample = undefined;
    left.push(record.id);
  }
  return left;
}

/** In memory: what the store says that a replica holds is connected, for it is alive. Returns the ids of those that were not. */
export function own(records: Iterable<NodeRecord>, replicaId: string): string[] {
  const back: string[] = [];
  for (const record of records) {
    if (record.owner !== replicaId || record.connected) continue;
    record.connected = true;
    back.push(record.id);
  }
  return back;
}

/** In the store, what a replica that is gone had is nobody's: by one of the others, some at a time; nodes that have a new owner already are not among them. */
export async function heirOf(store: Store, replicaId: string, at: number): Promise<void> {
  for (let freed = freedAtOnce; freed === freedAtOnce; ) {
    freed = await store.write(
      async (tx) =>
        await tx.run(
          `UPDATE nodes SET owner = '', changed_at = $2, revision = $3 WHERE owner = $1 AND id IN
             (SELECT id FROM nodes WHERE owner = $1 LIMIT $4)`,
          ...[replicaId, at, await nextRevision(tx), freedAtOnce],
        ),
      [],
    );
  }
}
