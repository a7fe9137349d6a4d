import type { Result } from "../../../gen/edge/v1/command_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import { defaultExpiryMs } from "../../wire/limits.ts";
import type { Tx } from "../store/index.ts";
import { hubResult } from "./rows.ts";

/** How far a node's queue is. */
export interface Queue {
  /** The highest sequence number given to a command. */
  last: number;
  /** Up to here the node may have them: they were given to its line, or were about to be. */
  handed: number;
  /** Up to here it has said that it has them. */
  accepted: number;
}

/** The queue of a node; of one that never had a command, an empty one. */
export async function queueOf(tx: Tx, nodeId: string): Promise<Queue> {
  const row = await tx.get("SELECT * FROM command_queues WHERE node_id = $1", nodeId);
  return toQueue(row);
}

function toQueue(row: Row | undefined): Queue {
  return {
    last: Number(row?.last ?? 0),
    handed: Number(row?.handed ?? 0),
    accepted: Number(row?.accepted ?? 0),
  };
}

/** The queue of a node, with how many of its commands have no result. */
export async function queueAndPendingOf(tx: Tx, nodeId: string): Promise<Queue & { pending: number }> {
  const row = await tx.get(
    `SELECT q.last, q.handed, q.accepted, w.pending FROM
       (SELECT COUNT(*) AS pending FROM commands WHERE node_id = $1 AND finished_at IS NULL) AS w
     LEFT JOIN command_queues q ON q.node_id = $1`,
    nodeId,
  );
  return { ...toQueue(row), pending: Number(row?.pending) };
}

/** Writes down how far a node's queue is. */
export async function saveQueue(tx: Tx, nodeId: string, { last, handed, accepted }: Queue): Promise<void> {
  await tx.run(
    `INSERT INTO command_queues (node_id, last, handed, accepted) VALUES ($1, $2, $3, $4)
     ON CONFLICT (node_id) DO UPDATE SET last = excluded.last, handed = excluded.handed, accepted = excluded.accepted`,
    nodeId,
    last,
    handed,
    accepted,
  );
}

/** Commands of a node without a result. */
export async function pendingOf(tx: Tx, nodeId: string): Promise<number> {
  const row = await tx.get(
    "SELECT COUNT(*) AS n FROM commands WHERE node_id = $1 AND finished_at IS NULL",
    nodeId,
  );
  return Number(row?.n);
}

/** Gives a command the result that the hub decides. */
export async function finishHere(
  tx: Tx,
  id: string,
  { why, expired = false, now }: { why: Failure; expired?: boolean; now: number },
): Promise<void> {
  await tx.run(
    "UPDATE commands SET result = $2, expired = $3, finished_at = $4 WHERE id = $1 AND finished_at IS NULL",
    id,
    hubResult(id, why, now),
    expired ? 1 : 0,
    now,
  );
}

/**
 * Ends the commands of a node whose time is over and that it cannot have. One that was handed to a line stays:
 * it may be on the node's disk, and its expiry would be a lie. The node's next Hello tells. Returns which it ended.
 */
export async function expireDue(
  tx: Tx,
  now: number,
  nodeId: string,
): Promise<{ id: string; nodeId: string }[]> {
  const due = await tx.all(
    `SELECT c.id, c.node_id FROM commands c JOIN command_queues q ON q.node_id = c.node_id
     WHERE c.finished_at IS NULL AND c.expires_at <= $1 AND c.sequence > q.handed AND c.node_id = $2
     ORDER BY c.expires_at LIMIT 1000`,
    now,
    nodeId,
  );
  const ended = due.map((row) => ({ id: String(row.id), nodeId: String(row.node_id) }));
  for (const one of ended) {
    const why = failure(
      "deadline",
      `node ${one.nodeId} did not take the command in time, and never will: submit it again, under a new id, when the node is connected`,
    );
    await finishHere(tx, one.id, { why, expired: true, now });
  }
  return ended;
}

/** What a resumption found out. */
export interface Resumed {
  /** Commands whose state changed. */
  touched: string[];
  /** Something that an operator should look at. */
  warning: string | undefined;
}

/**
 * A node is back and says the highest sequence number that is on its disk: what was in doubt is so no longer.
 *
 * - Up to there it has them.
 * - What comes after never reached it, and is sent again, unless it expired or was called off meanwhile.
 * - If it had acknowledged more, it lost its state file. What it had and did not answer may have been done: it is not sent
 *   again, but answered here with `unavailable`, which says so.
 * - If it has more than it was ever handed, this hub was put back from a copy, or the node had another hub. What has no
 *   result is numbered anew above that. The node knows by its id what it had already, and answers that again.
 */
export async function resume(tx: Tx, nodeId: string, lastOnNode: number, now: number): Promise<Resumed> {
  const before = await queueOf(tx, nodeId);
  const found =
    lastOnNode > before.handed
      ? await renumber(tx, nodeId, before, lastOnNode, now)
      : await settleDoubt(tx, nodeId, before, lastOnNode, now);
  const expired = await expireDue(tx, now, nodeId);
  return { warning: found.warning, touched: [...found.touched, ...expired.map(({ id }) => id)] };
}

/** Why a command has no result of a node although nothing failed. */
export const calledOffHere = failure("cancelled", "it was called off before the node had it");

/** Whether a result says that the command was called off in time: no node had it. */
export function isCalledOffHere({ outcome }: Result): boolean {
  return outcome.case === "failure" && outcome.value.message === calledOffHere.message;
}

async function settleDoubt(
  tx: Tx,
  nodeId: string,
  before: Queue,
  lastOnNode: number,
  now: number,
): Promise<Resumed> {
  const accepted = Math.max(before.accepted, lastOnNode);
  const pending = (await pendingAfter(tx, nodeId, 0)).map((row) => ({
    id: String(row.id),
    sequence: Number(row.sequence),
    isCalledOff: Number(row.called_off) === 1,
  }));
  const lost = pending.filter(({ sequence }) => sequence > lastOnNode && sequence <= before.accepted);
  const why = failure(
    "unavailable",
    `node ${nodeId} had the command and lost its state since; whether it was carried out is not known: look at the node, then submit it again under a new id`,
  );
  for (const { id } of lost) await finishHere(tx, id, { why, now });
  const unsent = pending.filter(({ sequence, isCalledOff }) => sequence > accepted && isCalledOff);
  for (const { id } of unsent) await finishHere(tx, id, { why: calledOffHere, now });
  const arrived = pending.filter(({ sequence }) => sequence > before.accepted && sequence <= accepted);
  await saveQueue(tx, nodeId, { last: before.last, handed: accepted, accepted });
  const warning =
    lost.length > 0
      ? `the node lost its state: ${lost.length} of its commands have no answer, and may or may not have been carried out`
      : undefined;
  return { touched: [...lost, ...unsent, ...arrived].map(({ id }) => id), warning };
}

async function renumber(
  tx: Tx,
  nodeId: string,
  before: Queue,
  lastOnNode: number,
  now: number,
): Promise<Resumed> {
  const base = Math.max(before.last, lastOnNode);
  const pending = await pendingAfter(tx, nodeId, 0);
  for (const [at, row] of pending.entries()) {
    // What the node may have had is given a new day: it is sent only to learn its result.
    const mayBeThere = Number(row.sequence) <= before.handed;
    const expiresAt = mayBeThere ? now + defaultExpiryMs : Number(row.expires_at);
    await tx.run(
      "UPDATE commands SET sequence = $2, expires_at = $3 WHERE id = $1",
      String(row.id),
      base + at + 1,
      expiresAt,
    );
  }
  await saveQueue(tx, nodeId, { last: base + pending.length, handed: base, accepted: base });
  return {
    touched: pending.map((row) => String(row.id)),
    warning: `the node has commands up to ${lastOnNode}, and this hub sent it ${before.handed}: the hub was put back from a copy, or the node had another hub before`,
  };
}

function pendingAfter(tx: Tx, nodeId: string, sequence: number): Promise<Row[]> {
  return tx.all(
    `SELECT id, sequence, expires_at, called_off FROM commands
     WHERE node_id = $1 AND sequence > $2 AND finished_at IS NULL ORDER BY sequence`,
    nodeId,
    sequence,
  );
}
