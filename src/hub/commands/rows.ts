import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, CommandSchema, type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { CommandState, type FleetCommand, FleetCommandSchema } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";
import { toFailureMessage } from "../../wire/failures.ts";

/** What `toFleetCommand` reads: a command, and how far its node is. */
export const selectCommands =
  "SELECT c.*, q.accepted FROM commands c JOIN command_queues q ON q.node_id = c.node_id";

/** A row of `selectCommands` as the API tells it. */
export function toFleetCommand(row: Row): FleetCommand {
  const told = create(FleetCommandSchema, {
    command: toCommand(row),
    nodeId: String(row.node_id),
    state: stateOf(row),
    queuedAt: timestampFromMs(Number(row.queued_at)),
    expiresAt: timestampFromMs(Number(row.expires_at)),
    resultDropped: Number(row.result_dropped) === 1,
  });
  if (row.result instanceof Uint8Array) told.result = fromBinary(ResultSchema, row.result);
  return told;
}

function stateOf(row: Row): CommandState {
  if (row.finished_at !== null) {
    return Number(row.expired) === 1 ? CommandState.EXPIRED : CommandState.FINISHED;
  }
  return Number(row.sequence) <= Number(row.accepted) ? CommandState.ACCEPTED : CommandState.QUEUED;
}

/** The command of a row. */
export function toCommand(row: Row): Command {
  return fromBinary(CommandSchema, row.command as Uint8Array); // BLOB NOT NULL.
}

/** The result that the hub itself gives, when no node ever will. */
export function hubResult(commandId: string, why: Failure, now: number): Uint8Array {
  const result: Result = create(ResultSchema, {
    commandId,
    finishedAt: timestampFromMs(now),
    outcome: { case: "failure", value: toFailureMessage(why) },
  });
  return toBinary(ResultSchema, result);
}
