import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Rollout,
  RolloutBackSchema,
  RolloutBackState,
  type RolloutCounts,
  RolloutCountsSchema,
  type RolloutNode,
  RolloutNodeSchema,
  RolloutNodeState,
  RolloutSchema,
  RolloutState as WireState,
} from "../../../gen/edge/v1/rollouts_pb.ts";
import type { Row } from "../../base/sql.ts";
import type { BackState, PartState, RolloutState } from "./part.ts";
import { commandIdOf } from "./request.ts";
import { toPart, toRecord } from "./rows.ts";

const wireStates: Readonly<{ [state in RolloutState]: WireState }> = {
  running: WireState.RUNNING,
  paused: WireState.PAUSED,
  rolling_back: WireState.ROLLING_BACK,
  succeeded: WireState.SUCCEEDED,
  failed: WireState.FAILED,
  cancelled: WireState.CANCELLED,
  rolled_back: WireState.ROLLED_BACK,
};

const wirePartStates: Readonly<{ [state in PartState]: RolloutNodeState }> = {
  waiting: RolloutNodeState.WAITING,
  running: RolloutNodeState.RUNNING,
  settling: RolloutNodeState.SETTLING,
  succeeded: RolloutNodeState.SUCCEEDED,
  failed: RolloutNodeState.FAILED,
  skipped: RolloutNodeState.SKIPPED,
};

const wireBackStates: Readonly<{ [state in BackState]: RolloutBackState }> = {
  running: RolloutBackState.RUNNING,
  done: RolloutBackState.DONE,
  failed: RolloutBackState.FAILED,
};

/** Where a count of nodes on their way back stands. */
const backCounts = { running: "rollingBack", done: "rolledBack", failed: "notRolledBack" } as const;

/** A rollout as the API tells it, without its nodes. `counts` are rows of state, back_state and n. */
export function toRollout(row: Row, counts: readonly Row[]): Rollout {
  const { id, state, reason, actor, tenant } = toRecord({ ...row, wishes: null });
  const told = create(RolloutSchema, {
    ...{ id, reason, actor, tenant, state: wireStates[state] },
    startedAt: timestampFromMs(Number(row.started_at)),
    counts: toCounts(counts),
  });
  if (row.finished_at !== null) told.finishedAt = timestampFromMs(Number(row.finished_at));
  return told;
}

/** A node of a rollout as the API tells it. */
export function toRolloutNode(row: Row): RolloutNode {
  const { place, nodeId, state, deadlineAt, waitsFor, back } = toPart(row);
  const told = outcomeIn(row.outcome) ?? create(RolloutNodeSchema);
  told.nodeId = nodeId;
  told.state = wirePartStates[state];
  if (deadlineAt !== undefined) told.commandId = commandIdOf(String(row.rollout_id), place);
  if (waitsFor !== undefined && state === "settling") told.waitsFor = waitsFor;
  if (back) {
    const failure = outcomeIn(row.back_outcome)?.failure;
    told.back = create(RolloutBackSchema, {
      state: wireBackStates[back.state],
      commandId: back.commandId ?? "",
      ...(failure && { failure }),
    });
  }
  return told;
}

function outcomeIn(bytes: Row[string] | undefined): RolloutNode | undefined {
  return bytes instanceof Uint8Array ? fromBinary(RolloutNodeSchema, bytes) : undefined;
}

function toCounts(rows: readonly Row[]): RolloutCounts {
  const counts = create(RolloutCountsSchema);
  for (const row of rows) {
    counts[String(row.state) as PartState] += Number(row.n); // Nothing else is written there, nor below.
    if (row.back_state !== null) counts[backCounts[String(row.back_state) as BackState]] += Number(row.n);
  }
  return counts;
}
