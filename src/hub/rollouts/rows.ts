import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Rollout,
  type RolloutCounts,
  RolloutCountsSchema,
  type RolloutNode,
  RolloutNodeSchema,
  RolloutNodeState,
  RolloutSchema,
  RolloutState as WireState,
} from "../../../gen/edge/v1/rollouts_pb.ts";
import { type ApplyWishesRequest, ApplyWishesRequestSchema } from "../../../gen/edge/v1/wishes_pb.ts";
import type { Row } from "../../base/sql.ts";
import type { Tx } from "../store/index.ts";
import type { Outcome } from "./judge.ts";
import type { Course, Part, PartState, RolloutState } from "./plan.ts";
import { commandIdOf } from "./request.ts";

/** A rollout without its nodes, as long as it is under way. */
export interface RolloutRecord extends Course {
  id: string;
  actor: string;
  wishes: ApplyWishesRequest;
}

/** A rollout that begins. */
export interface NewRollout {
  record: RolloutRecord;
  requestSha256: Uint8Array;
  nodeIds: readonly string[];
  now: number;
}

const wireStates: Readonly<{ [state in RolloutState]: WireState }> = {
  running: WireState.RUNNING,
  succeeded: WireState.SUCCEEDED,
  failed: WireState.FAILED,
  cancelled: WireState.CANCELLED,
};

const wirePartStates: Readonly<{ [state in PartState]: RolloutNodeState }> = {
  waiting: RolloutNodeState.WAITING,
  running: RolloutNodeState.RUNNING,
  succeeded: RolloutNodeState.SUCCEEDED,
  failed: RolloutNodeState.FAILED,
  skipped: RolloutNodeState.SKIPPED,
};

/** Keeps a new rollout, of which every node waits. */
export async function insertRollout(
  tx: Tx,
  { record, requestSha256, nodeIds, now }: NewRollout,
): Promise<void> {
  await tx.run(
    `INSERT INTO rollouts (id, number, request_sha256, wishes, actor, size, batch, max_failures, timeout_ms, skip_offline,
       called_off_by, state, reason, started_at)
     SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, '', 'running', '', $10 FROM rollouts`,
    record.id,
    requestSha256,
    toBinary(ApplyWishesRequestSchema, record.wishes),
    record.actor,
    nodeIds.length,
    record.batch,
    record.maxFailures,
    record.timeoutMs,
    record.skipOffline ? 1 : 0,
    now,
  );
  for (const [place, nodeId] of nodeIds.entries()) {
    await tx.run(
      "INSERT INTO rollout_nodes (rollout_id, place, node_id, state) VALUES ($1, $2, $3, 'waiting')",
      record.id,
      place,
      nodeId,
    );
  }
}

/** Says where a rollout is. With its end its wishes go: nobody needs them any more. */
export async function moveRollout(
  tx: Tx,
  id: string,
  { state, reason, now }: { state: RolloutState; reason: string; now: number },
): Promise<void> {
  const isOver = state !== "running";
  await tx.run(
    `UPDATE rollouts SET state = $2, reason = $3, finished_at = $4 ${isOver ? ", wishes = NULL" : ""} WHERE id = $1`,
    id,
    state,
    reason,
    isOver ? now : null,
  );
}

/** Says where a node of a rollout is, and how it ended. */
export async function movePart(tx: Tx, rolloutId: string, part: Part, outcome?: Outcome): Promise<void> {
  await tx.run(
    "UPDATE rollout_nodes SET state = $3, deadline_at = $4, outcome = $5 WHERE rollout_id = $1 AND place = $2",
    rolloutId,
    part.place,
    part.state,
    part.deadlineAt ?? null,
    outcome ? toBinary(RolloutNodeSchema, create(RolloutNodeSchema, outcome)) : null,
  );
}

/** A rollout that is under way. */
export function toRecord(row: Row): RolloutRecord {
  return {
    id: String(row.id),
    actor: String(row.actor),
    wishes: fromBinary(ApplyWishesRequestSchema, row.wishes as Uint8Array), // Kept until the end.
    batch: Number(row.batch),
    maxFailures: Number(row.max_failures),
    timeoutMs: Number(row.timeout_ms),
    skipOffline: Number(row.skip_offline) === 1,
    calledOffBy: String(row.called_off_by),
  };
}

/** A node of a rollout that is under way. */
export function toPart(row: Row): Part {
  return {
    place: Number(row.place),
    nodeId: String(row.node_id),
    state: String(row.state) as PartState, // Nothing else is written there.
    ...(row.deadline_at !== null && { deadlineAt: Number(row.deadline_at) }),
  };
}

/** A rollout as the API tells it, without its nodes. `counts` are rows of state and n. */
export function toRollout(row: Row, counts: readonly Row[]): Rollout {
  const told = create(RolloutSchema, {
    id: String(row.id),
    state: wireStates[String(row.state) as RolloutState], // Nothing else is written there.
    reason: String(row.reason),
    actor: String(row.actor),
    startedAt: timestampFromMs(Number(row.started_at)),
    counts: toCounts(counts),
  });
  if (row.finished_at !== null) told.finishedAt = timestampFromMs(Number(row.finished_at));
  return told;
}

/** A node of a rollout as the API tells it. */
export function toRolloutNode(row: Row): RolloutNode {
  const { place, nodeId, state, deadlineAt } = toPart(row);
  const told =
    row.outcome instanceof Uint8Array
      ? fromBinary(RolloutNodeSchema, row.outcome)
      : create(RolloutNodeSchema);
  told.nodeId = nodeId;
  told.state = wirePartStates[state];
  if (deadlineAt !== undefined) told.commandId = commandIdOf(String(row.rollout_id), place);
  return told;
}

function toCounts(rows: readonly Row[]): RolloutCounts {
  const counts = create(RolloutCountsSchema);
  for (const row of rows) counts[String(row.state) as PartState] = Number(row.n); // As in `toPart`.
  return counts;
}
