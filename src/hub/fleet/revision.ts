import type { Store, Tx } from "../store/index.ts";

/**
 * The number under which what is written now is found by other replicas: whoever changes rows of `nodes`, or what is shown with them,
 * writes it with them. The row of the counter is held until the commit, so who sees a number sees all below it.
 */
export async function nextRevision(tx: Tx): Promise<number> {
  const row = await tx.get("UPDATE fleet_revisions SET last = last + 1 WHERE one = 1 RETURNING last");
  return Number(row?.last);
}

/** The number of what was committed last. */
export async function lastRevision(store: Store): Promise<number> {
  const [row] = await store.read("SELECT last FROM fleet_revisions WHERE one = 1");
  return Number(row?.last);
}

/** Has other replicas look at a node again. Returns its revision. */
export async function touchNode(tx: Tx, id: string): Promise<number> {
  const revision = await nextRevision(tx);
  await tx.run("UPDATE nodes SET revision = $2 WHERE id = $1", id, revision);
  return revision;
}
