import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { RolloutNodeSchema } from "../../../gen/edge/v1/rollouts_pb.ts";
import {
  type ApplyWishesRequest,
  ApplyWishesRequestSchema,
  type WishesBefore,
  WishesBeforeSchema,
} from "../../../gen/edge/v1/wishes_pb.ts";
import type { Row } from "../../base/sql.ts";
import type { Tx } from "../store/index.ts";
import type { Outcome } from "./judge.ts";
import {
  type BackState,
  type Course,
  isOver,
  type Part,
  type PartState,
  type RolloutState,
  type Undo,
} from "./part.ts";

/** A rollout without its nodes. */
export interface RolloutRecord extends Course {
  id: string;
  actor: string;
  /** The tenant that it belongs to; empty when it is nobody's in particular. */
  tenant: string;
  /** Gone with its end. */
  wishes: ApplyWishesRequest | undefined;
  /** How often it was begun to be undone. */
  backTry: number;
  version: number;
  state: RolloutState;
  reason: string;
}

/** A rollout that begins. */
export interface NewRollout {
  record: Omit<RolloutRecord, "version" | "state" | "reason" | "backTry"> & { wishes: ApplyWishesRequest };
  requestSha256: Uint8Array;
  nodeIds: readonly string[];
  now: number;
}

/** Keeps a new rollout, of which every node waits. */
export async function insertRollout(
  tx: Tx,
  { record, requestSha256, nodeIds, now }: NewRollout,
): Promise<void> {
  await tx.run(
    `INSERT INTO rollouts (id, number, request_sha256, wishes, actor, size, batch, max_failures, timeout_ms, skip_offline,
       called_off_by, state, reason, started_at, tenant, settle_ms, roll_back)
     SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, '', 'running', '', $10, $11, $12, $13 FROM rollouts`,
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
    record.tenant,
    record.settleMs,
    record.rollBack ? 1 : 0,
  );
  for (const [place, nodeId] of nodeIds.entries()) {
    await tx.run(
      "INSERT INTO rollout_nodes (rollout_id, place, node_id, state, undo) VALUES ($1, $2, $3, 'waiting', 'nothing')",
      record.id,
      place,
      nodeId,
    );
  }
}

/**
 * Marks a rollout as changed, if it is as whoever decided saw it. False when it is not: then nothing of what was decided may be done.
 */
export async function claimVersion(
  tx: Tx,
  { id, version }: Pick<RolloutRecord, "id" | "version">,
): Promise<boolean> {
  const changed = await tx.run(
    "UPDATE rollouts SET version = version + 1 WHERE id = $1 AND version = $2 AND finished_at IS NULL",
    id,
    version,
  );
  return changed === 1;
}

/** Says where a rollout is. With its end its wishes go: nobody needs them any more. */
export async function moveRollout(
  tx: Tx,
  id: string,
  { state, reason, now }: { state: RolloutState; reason: string; now: number },
): Promise<void> {
  await tx.run(
    `UPDATE rollouts SET state = $2, reason = $3, finished_at = $4 ${isOver(state) ? ", wishes = NULL" : ""} WHERE id = $1`,
    id,
    state,
    reason,
    isOver(state) ? now : null,
  );
}

/** Says where a node of a rollout is; with a verdict also how it ended, and what it had before. */
export async function movePart(
  tx: Tx,
  rolloutId: string,
  part: Part,
  verdict?: { outcome: Outcome; before?: WishesBefore },
): Promise<void> {
  await tx.run(
    `UPDATE rollout_nodes SET state = $3, deadline_at = $4, healthy_since = $5, healthy_restarts = $6, waits_for = $7, undo = $8
     WHERE rollout_id = $1 AND place = $2`,
    rolloutId,
    part.place,
    part.state,
    part.deadlineAt ?? null,
    part.healthy?.since ?? null,
    part.healthy?.restarts ?? null,
    part.waitsFor ?? "",
    part.undo,
  );
  if (!verdict) return;
  await tx.run(
    "UPDATE rollout_nodes SET outcome = $3, had = COALESCE($4, had) WHERE rollout_id = $1 AND place = $2",
    rolloutId,
    part.place,
    toBinary(RolloutNodeSchema, create(RolloutNodeSchema, verdict.outcome)),
    verdict.before ? toBinary(WishesBeforeSchema, verdict.before) : null,
  );
}

/** Says where a node is on its way back, and why it did not get there. */
export async function movePartBack(
  tx: Tx,
  rolloutId: string,
  { place, back }: Part,
  outcome?: Outcome,
): Promise<void> {
  await tx.run(
    `UPDATE rollout_nodes SET back_state = $3, back_deadline_at = $4, back_command = $5, back_outcome = $6
     WHERE rollout_id = $1 AND place = $2`,
    rolloutId,
    place,
    back?.state ?? null,
    back?.deadlineAt ?? null,
    back?.commandId ?? null,
    outcome ? toBinary(RolloutNodeSchema, create(RolloutNodeSchema, outcome)) : null,
  );
}

/** What a node had before; undefined when it is not kept, or no longer. */
export async function readBefore(
  tx: Tx,
  rolloutId: string,
  place: number,
): Promise<WishesBefore | undefined> {
  const row = await tx.get(
    "SELECT had FROM rollout_nodes WHERE rollout_id = $1 AND place = $2",
    rolloutId,
    place,
  );
  return row?.had instanceof Uint8Array ? fromBinary(WishesBeforeSchema, row.had) : undefined;
}

/** What `toPart` reads: all of a node but what it had, which may be large. */
export const selectParts = `SELECT rollout_id, place, node_id, state, deadline_at, outcome, healthy_since, healthy_restarts, waits_for,
  undo, back_state, back_deadline_at, back_command, back_outcome FROM rollout_nodes WHERE rollout_id = $1 ORDER BY place`;

/** A rollout. */
export function toRecord(row: Row): RolloutRecord {
  return {
    id: String(row.id),
    actor: String(row.actor),
    tenant: String(row.tenant),
    wishes: row.wishes instanceof Uint8Array ? fromBinary(ApplyWishesRequestSchema, row.wishes) : undefined,
    batch: Number(row.batch),
    maxFailures: Number(row.max_failures),
    timeoutMs: Number(row.timeout_ms),
    skipOffline: Number(row.skip_offline) === 1,
    settleMs: Number(row.settle_ms),
    rollBack: Number(row.roll_back) === 1,
    calledOffBy: String(row.called_off_by),
    pausedBy: String(row.paused_by),
    backBy: String(row.back_by),
    backTry: Number(row.back_try),
    version: Number(row.version),
    state: String(row.state) as RolloutState, // Nothing else is written there, nor below.
    reason: String(row.reason),
  };
}

/** A node of a rollout. */
export function toPart(row: Row): Part {
  return {
    place: Number(row.place),
    nodeId: String(row.node_id),
    state: String(row.state) as PartState,
    undo: String(row.undo) as Undo,
    ...(row.deadline_at !== null && { deadlineAt: Number(row.deadline_at) }),
    ...(row.waits_for !== "" && { waitsFor: String(row.waits_for) }),
    ...(row.healthy_since !== null && {
      healthy: { since: Number(row.healthy_since), restarts: Number(row.healthy_restarts) },
    }),
    ...(row.back_state !== null && {
      back: {
        state: String(row.back_state) as BackState,
        ...(row.back_deadline_at !== null && { deadlineAt: Number(row.back_deadline_at) }),
        ...(row.back_command !== null && { commandId: String(row.back_command) }),
      },
    }),
  };
}
