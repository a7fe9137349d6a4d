import type { Rollout } from "../../../gen/edge/v1/rollouts_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import type { Store, Tx } from "../store/index.ts";
import { selectParts } from "./rows.ts";
import { toRollout, toRolloutNode } from "./tell.ts";

/** Rollouts that are kept, and nodes of all of them together: of a large fleet, fewer rollouts are. */
const kept = { rollouts: 1000, nodes: 200_000 };
/** Rollouts of which is kept what nodes had before. */
const undoable = 100;

/** One rollout with its nodes. @throws {Failure} not_found. */
export async function readRollout(store: Store, id: string): Promise<Rollout> {
  const [row] = await store.read("SELECT * FROM rollouts WHERE id = $1", id);
  if (!row) throw unknownRollout(id);
  const nodes = await store.read(selectParts, id);
  const told = toRollout(row, countsOf(nodes));
  told.nodes = nodes.map(toRolloutNode);
  return told;
}

function countsOf(nodes: readonly Row[]): Row[] {
  return nodes.map(({ state = null, back_state = null }) => ({ state, back_state, n: 1 }));
}

/** Rollouts without their nodes, newest first; of one tenant, or all. Limit 0 means 100. */
export async function listRollouts(
  store: Store,
  { limit, tenant }: { limit: number; tenant?: string | undefined },
): Promise<Rollout[]> {
  const rows = await store.read(
    `SELECT * FROM rollouts ${tenant === undefined ? "" : "WHERE tenant = $2"} ORDER BY number DESC LIMIT $1`,
    ...[limit || 100, ...(tenant === undefined ? [] : [tenant])],
  );
  const oldest = Math.min(...rows.map((row) => Number(row.number)));
  const counts =
    rows.length === 0
      ? []
      : await store.read(
          `SELECT n.rollout_id, n.state, n.back_state, COUNT(*) AS n FROM rollout_nodes n JOIN rollouts r ON r.id = n.rollout_id
     WHERE r.number >= $1 GROUP BY n.rollout_id, n.state, n.back_state`,
          oldest,
        );
  const byRollout = Map.groupBy(counts, (row) => String(row.rollout_id));
  return rows.map((row) => toRollout(row, byRollout.get(String(row.id)) ?? []));
}

/** Forgets the oldest that have ended, and before that what their nodes had. Those that are under way count, and stay. */
export async function forgetOld(tx: Tx): Promise<void> {
  let nodes = 0;
  const rows = await tx.all("SELECT id, size, finished_at FROM rollouts ORDER BY number DESC");
  for (const [at, { id, size, finished_at: finishedAt }] of rows.entries()) {
    nodes += Number(size);
    if (finishedAt === null) continue;
    if (at >= kept.rollouts || nodes > kept.nodes) {
      await tx.run("DELETE FROM rollouts WHERE id = $1", String(id));
      await tx.run("DELETE FROM rollout_nodes WHERE rollout_id = $1", String(id));
    } else if (at >= undoable) {
      await tx.run(
        "UPDATE rollout_nodes SET had = NULL WHERE rollout_id = $1 AND had IS NOT NULL",
        String(id),
      );
    }
  }
}

/** The failure of whoever asks for a rollout that is not here. */
export function unknownRollout(id: string): Error {
  return failure("not_found", `there is no rollout ${id} here: see \`orchestrator rollout list\``);
}
