import type { Tx } from "../store/index.ts";

/** A node's journal, as it says hello. */
export interface JournalClaim {
  nodeId: string;
  journalId: string;
  /** The last sequence number that the journal holds; 0 when it is empty. */
  lastSequence: number;
}

/** Cursors that are kept of one node: a disk that is put back finds its own again. */
const cursorsOfNode = 4;

/**
 * Takes up the cursor of a journal, or begins one. `lost` says how many entries the node's former journal announced that
 * never came, when this is a new one.
 */
export async function openCursor(tx: Tx, { nodeId, journalId, lastSequence }: JournalClaim, now: number) {
  const known = await tx.get(
    "SELECT through FROM report_cursors WHERE node_id = $1 AND journal_id = $2",
    nodeId,
    journalId,
  );
  const former = known
    ? undefined
    : await tx.get(
        "SELECT through, told FROM report_cursors WHERE node_id = $1 ORDER BY opened_at DESC LIMIT 1",
        nodeId,
      );
  await tx.run(
    `INSERT INTO report_cursors (node_id, journal_id, through, told, opened_at) VALUES ($1, $2, 0, $3, $4)
     ON CONFLICT (node_id, journal_id) DO UPDATE SET told = excluded.told, opened_at = excluded.opened_at`,
    nodeId,
    journalId,
    lastSequence,
    now,
  );
  await tx.run(
    `DELETE FROM report_cursors WHERE node_id = $1 AND journal_id <> $2 AND journal_id NOT IN
       (SELECT journal_id FROM report_cursors WHERE node_id = $1 ORDER BY opened_at DESC LIMIT $3)`,
    nodeId,
    journalId,
    cursorsOfNode,
  );
  const lost = former ? Math.max(0, Number(former.told) - Number(former.through)) : 0;
  return { through: Number(known?.through ?? 0), lost };
}

/** Up to where a journal's entries are on the disk; undefined when it was never opened, or its node was removed. */
export async function throughOf(tx: Tx, nodeId: string, journalId: string): Promise<number | undefined> {
  const row = await tx.get(
    "SELECT through FROM report_cursors WHERE node_id = $1 AND journal_id = $2",
    nodeId,
    journalId,
  );
  return row && Number(row.through);
}

/** Says up to where a journal's entries are on the disk, from the commit on. */
export async function moveCursor(tx: Tx, nodeId: string, journalId: string, through: number): Promise<void> {
  await tx.run(
    "UPDATE report_cursors SET through = $3 WHERE node_id = $1 AND journal_id = $2",
    nodeId,
    journalId,
    through,
  );
}
