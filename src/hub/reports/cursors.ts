import { inPieces, valuesOf } from "../../base/many-rows.ts";
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

/** A journal, and up to where its entries are on the disk. */
export interface Cursor {
  nodeId: string;
  journalId: string;
  through: number;
}

/** The cursors of some journals. One that was never opened, or whose node was removed, is left out. */
export async function cursorsOf(
  tx: Tx,
  journals: readonly { nodeId: string; journalId: string }[],
): Promise<Cursor[]> {
  const cursors: Cursor[] = [];
  for (const some of inPieces(journals)) {
    const rows = await tx.all(
      `WITH asked (node, journal) AS (VALUES ${valuesOf(["TEXT", "TEXT"], some.length)})
       SELECT node_id, journal_id, through FROM report_cursors JOIN asked ON node_id = node AND journal_id = journal`,
      ...some.flatMap(({ nodeId, journalId }) => [nodeId, journalId]),
    );
    for (const { node_id: nodeId, journal_id: journalId, through } of rows) {
      cursors.push({ nodeId: String(nodeId), journalId: String(journalId), through: Number(through) });
    }
  }
  return cursors;
}

/** Says up to where entries are on the disk, from the commit on. */
export async function moveCursors(tx: Tx, cursors: readonly Cursor[]): Promise<void> {
  for (const some of inPieces(cursors)) {
    await tx.run(
      `WITH moved (node, journal, upto) AS (VALUES ${valuesOf(["TEXT", "TEXT", "BIGINT"], some.length)})
       UPDATE report_cursors SET through = upto FROM moved WHERE node_id = node AND journal_id = journal`,
      ...some.flatMap(({ nodeId, journalId, through }) => [nodeId, journalId, through]),
    );
  }
}
