import type { Rollout } from "../../../gen/edge/v1/rollouts_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Store, Tx } from "../store/index.ts";
import { toRollout, toRolloutNode } from "./rows.ts";

/** Rollouts that are kept, and nodes of all of them together: of a large fleet, fewer rollouts are. */
const kept = { rollouts: 1000, nodes: 200_000 };

/** One rollout with its nodes. @throws {Failure} not_found. */
export async function readRollout(store: Store, id: string): Promise<Rollout> {
  const [row] = await store.read("SELECT * FROM rollouts WHERE id = $1", id);
  if (!row) throw unknownRollout(id);
  const counts = await store.read(
    "SELECT state, COUNT(*) AS n FROM rollout_nodes WHERE rollout_id = $1 GROUP BY state",
    id,
  );
  const nodes = await store.read("SELECT * FROM rollout_nodes WHERE rollout_id = $1 ORDER BY place", id);
  const told = toRollout(row, counts);
  told.nodes = nodes.map(toRolloutNode);
  return told;
}

/** Rollouts without their nodes, newest first; limit 0 means 100. */
export async function listRollouts(store: Store, limit: number): Promise<Rollout[]> {
  const rows = await store.read("SELECT * FROM rollouts ORDER BY number DESC LIMIT $1", limit || 100);
  const counts = await store.read(
    `SELECT rollout_id, state, COUNT(*) AS n FROM rollout_nodes
     WHERE rollout_id IN (SELECT id FROM rollouts ORDER BY number DESC LIMIT $1) GROUP BY rollout_id, state`,
    limit || 100,
  );
  const byRollout = Map.groupBy(counts, (row) => String(row.rollout_id));
  return rows.map((row) => toRollout(row, byRollout.get(String(row.id)) ?? []));
}

/** Forgets the oldest that have ended. Those that are under way count, and stay. */
export async function forgetOld(tx: Tx): Promise<void> {
  let nodes = 0;
  const rows = await tx.all("SELECT id, size, finished_at FROM rollouts ORDER BY number DESC");
  for (const [at, { id, size, finished_at: finishedAt }] of rows.entries()) {
    nodes += Number(size);
    if (finishedAt === null || (at < kept.rollouts && nodes <= kept.nodes)) continue;
    await tx.run("DELETE FROM rollouts WHERE id = $1", String(id));
    await tx.run("DELETE FROM rollout_nodes WHERE rollout_id = $1", String(id));
  }
}

/** The failure of whoever asks for a rollout that is not here. */
export function unknownRollout(id: string): Error {
  return failure("not_found", `there is no rollout ${id} here: see \`orchestrator rollout list\``);
}
