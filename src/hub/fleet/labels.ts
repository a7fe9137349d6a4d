import { failure, invalidField } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import type { Tx } from "../store/index.ts";

/** A label of a node, as of the contract's Label. */
export interface NodeLabel {
  key: string;
  value: string;
}

/** Labels that are to be there, and keys of those that are to go. */
export interface LabelChange {
  set: readonly NodeLabel[];
  remove: readonly string[];
}

/** How many labels a node may have. */
const labelLimit = 64;

/** The labels of every node that has some, ordered by key. */
export function toLabels(rows: readonly Row[]): Map<string, NodeLabel[]> {
  const byNode = Map.groupBy(rows, (row) => String(row.node_id));
  return new Map([...byNode].map(([nodeId, of]) => [nodeId, of.map(toLabel)]));
}

/**
 * Changes the labels of a node and returns all that it then has, ordered by key.
 * @throws {Failure} invalid: a label is to be there and to go. exhausted: there would be too many.
 */
export async function changeLabels(
  tx: Tx,
  nodeId: string,
  { set, remove }: LabelChange,
): Promise<NodeLabel[]> {
  for (const [at, key] of remove.entries()) {
    if (!set.some((label) => label.key === key)) continue;
    throw invalidField(`remove[${at}]`, `${key} is also among the labels that are to be set`);
  }
  for (const key of remove) {
    await tx.run("DELETE FROM node_labels WHERE node_id = $1 AND key = $2", nodeId, key);
  }
  for (const { key, value } of set) {
    await tx.run(
      `INSERT INTO node_labels (node_id, key, value) VALUES ($1, $2, $3)
       ON CONFLICT (node_id, key) DO UPDATE SET value = excluded.value`,
      nodeId,
      key,
      value,
    );
  }
  const rows = await tx.all("SELECT * FROM node_labels WHERE node_id = $1 ORDER BY key", nodeId);
  const now = rows.map(toLabel);
  if (now.length <= labelLimit) return now;
  throw failure(
    "exhausted",
    `node ${nodeId} would have ${now.length} labels; at most ${labelLimit} are allowed: remove some`,
  );
}

function toLabel(row: Row): NodeLabel {
  return { key: String(row.key), value: String(row.value) };
}
