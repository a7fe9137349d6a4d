import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ProgressSchema } from "../../../gen/edge/v1/command_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Store } from "../store/index.ts";
import type { Board } from "./board.ts";

export interface ElsewhereOptions {
  store: Store;
  fleet: Fleet;
  replicas: Replicas;
  board: Board;
  clock: Clock;
  /** Which of these commands are here and have no result. */
  pendingAmong: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** The commands of all nodes are counted anew at one look of so many, and at the next one when hints were lost. */
const recountEvery = 15;

/**
 * Joins the boards of all replicas: what happens to commands at one is told at the others, and what nobody heard of is found in the
 * store. Without it, a board is that of a hub that is alone.
 */
export function joinBoards(options: ElsewhereOptions): void {
  const { fleet, replicas, board } = options;
  if (replicas.isAlone) return;
  board.tellOthers({
    touched: (ids) => replicas.tell("commands", ids),
    woken: (nodeId) => {
      const owner = fleet.ownerElsewhere(nodeId);
      if (owner !== undefined) replicas.tell(`wake.${owner}`, [nodeId]);
    },
    progressed: (nodeId, progress) =>
      replicas.bus.publish(`progress.${nodeId}`, toBinary(ProgressSchema, progress)),
  });
  replicas.hear("commands", (ids) => board.heard(ids));
  replicas.hear(`wake.${replicas.id}`, (nodeIds) => {
    for (const nodeId of nodeIds) board.wakeHere(nodeId);
  });
  replicas.bus.subscribe("progress.*", ({ subject, data }) => {
    board.progressedHere(subject.slice("progress.".length), fromBinary(ProgressSchema, data));
  });
  let looksLeft = 0;
  const recountSoon = () => {
    looksLeft = 0;
  };
  replicas.bus.onReturn(recountSoon);
  replicas.onGone(recountSoon);
  replicas.onLook(async () => {
    await wakeOwned(options);
    await findFinished(options);
    if (!replicas.bus.problem && looksLeft-- > 0) return;
    looksLeft = recountEvery - 1;
    await recount(options);
  });
}

/** Wakes the lines that are here and have something to send, or to call off. */
async function wakeOwned({ store, replicas, board }: ElsewhereOptions): Promise<void> {
  const rows = await store.read(
    `SELECT DISTINCT c.node_id FROM commands c JOIN command_queues q ON q.node_id = c.node_id
       JOIN nodes n ON n.id = c.node_id
     WHERE c.finished_at IS NULL AND n.owner = $1 AND (c.sequence > q.accepted OR c.called_off = 1)`,
    replicas.id,
  );
  for (const row of rows) board.wakeHere(String(row.node_id));
}

/** Tells those who wait here for commands that have their results, or are gone. */
async function findFinished({ board, pendingAmong }: ElsewhereOptions): Promise<void> {
  const watched = board.watched();
  if (watched.length === 0) return;
  const pending = await pendingAmong(watched);
  board.heard(watched.filter((id) => !pending.has(id)));
}

async function recount({ store, fleet }: ElsewhereOptions): Promise<void> {
  const rows = await store.read(
    "SELECT node_id, COUNT(*) AS n FROM commands WHERE finished_at IS NULL GROUP BY node_id",
  );
  fleet.presence.recount(new Map(rows.map((row) => [String(row.node_id), Number(row.n)])));
}
