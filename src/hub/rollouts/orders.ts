import { failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import type { Tx } from "../store/index.ts";
import { unknownRollout } from "./kept.ts";
import { backTries } from "./request.ts";

/** Rollouts that may be under way at once. */
const underWayLimit = 100;

/** What an operator decides of a rollout that is under way, and who. */
interface Order {
  column: "called_off_by" | "paused_by";
  /** Empty takes it back. */
  by: string;
}

/** Keeps who holds a rollout, or called it off. False when it stays as it is. @throws {Failure} not_found. */
export async function steer(tx: Tx, id: string, { column, by }: Order): Promise<boolean> {
  const row = await known(tx, id);
  const isSaid = (row[column] === "") === (by === "");
  if (row.finished_at !== null || row.state === "rolling_back" || isSaid) return false;
  await tx.run(`UPDATE rollouts SET ${column} = $2, version = version + 1 WHERE id = $1`, id, by);
  return true;
}

/**
 * Keeps that a rollout is undone: one that is under way ends, one that has ended is under way again. False when it is being undone
 * already, or has been. @throws {Failure} not_found, conflict, unavailable, exhausted.
 */
export async function undo(tx: Tx, id: string, by: string): Promise<boolean> {
  const row = await known(tx, id);
  if (row.state === "rolled_back" || (row.back_by !== "" && row.finished_at === null)) return false;
  if (row.finished_at !== null) await mustBeUndoable(tx, row);
  // Who could not be brought back is tried again, with a command of another name.
  const again = await tx.run(
    `UPDATE rollout_nodes SET back_state = NULL, back_deadline_at = NULL, back_command = NULL, back_outcome = NULL
     WHERE rollout_id = $1 AND back_state = 'failed'`,
    id,
  );
  const backTry = Number(row.back_try) + (again > 0 ? 1 : 0);
  if (backTry >= backTries) {
    throw failure(
      "exhausted",
      `nodes of ${id} were tried to be rolled back ${backTries} times: look at them`,
    );
  }
  await tx.run(
    `UPDATE rollouts SET back_by = $2, back_try = $3, paused_by = '', version = version + 1, state = 'rolling_back',
       finished_at = NULL WHERE id = $1`,
    id,
    by,
    backTry,
  );
  return true;
}

async function mustBeUndoable(tx: Tx, { id, number }: Row): Promise<void> {
  const gone = await tx.get(
    "SELECT 1 FROM rollout_nodes WHERE rollout_id = $1 AND undo = 'before' AND had IS NULL",
    String(id),
  );
  if (gone) {
    throw failure("unavailable", `what nodes had before ${id} is no longer kept: apply the files of before`);
  }
  const later = await tx.get(
    `SELECT r.id, o.node_id FROM rollout_nodes o JOIN rollout_nodes n ON n.node_id = o.node_id
       JOIN rollouts r ON r.id = n.rollout_id
     WHERE o.rollout_id = $1 AND o.undo <> 'nothing' AND r.number > $2 AND n.undo <> 'nothing' AND r.state <> 'rolled_back'
     ORDER BY r.number DESC LIMIT 1`,
    String(id),
    Number(number),
  );
  if (!later) return;
  throw failure(
    "conflict",
    `node ${later.node_id} was in the later rollout ${later.id}: roll that one back first`,
  );
}

/** @throws {Failure} conflict: a node is in another rollout. exhausted: too many rollouts are under way. */
export async function mustBeFree(tx: Tx, nodeIds: readonly string[]): Promise<void> {
  const row = await tx.get("SELECT COUNT(*) AS n FROM rollouts WHERE finished_at IS NULL");
  if (Number(row?.n) >= underWayLimit) {
    throw failure(
      "exhausted",
      `${underWayLimit} rollouts are under way: try again when one has ended, or call one off`,
    );
  }
  const busy = await tx.all(
    `SELECT n.node_id, n.rollout_id FROM rollouts r JOIN rollout_nodes n ON n.rollout_id = r.id
     WHERE r.finished_at IS NULL`,
  );
  const rolloutOf = new Map(busy.map((row) => [String(row.node_id), String(row.rollout_id)]));
  const taken = nodeIds.find((nodeId) => rolloutOf.has(nodeId));
  if (taken === undefined) return;
  throw failure(
    "conflict",
    `node ${taken} is in the rollout ${rolloutOf.get(taken)}, which is under way: await it, or call it off`,
  );
}

async function known(tx: Tx, id: string): Promise<Row> {
  const row = await tx.get(
    "SELECT id, number, state, finished_at, called_off_by, paused_by, back_by, back_try FROM rollouts WHERE id = $1",
    id,
  );
  if (!row) throw unknownRollout(id);
  return row;
}
