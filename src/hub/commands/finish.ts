import { toBinary } from "@bufbuild/protobuf";
import { type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Tx } from "../store/index.ts";
import { calledOffHere, finishHere, queueOf } from "./queue.ts";

/** A command that has just got its result: since when it waited, and what it takes now. */
interface Finished {
  queuedAt: number;
  bytes: number;
}

/** Keeps a node's result with its command. A command has one result: a later one changes nothing. */
export async function finishFromNode(
  tx: Tx,
  nodeId: string,
  result: Result,
  now: number,
): Promise<Finished | "was finished" | "unknown"> {
  const id = result.commandId;
  const row = await tx.get(
    `UPDATE commands SET result = $3, finished_at = $4 WHERE id = $1 AND node_id = $2 AND finished_at IS NULL
     RETURNING queued_at, LENGTH(command) + LENGTH(result) AS bytes`,
    ...[id, nodeId, toBinary(ResultSchema, result), now],
  );
  if (row) return { queuedAt: Number(row.queued_at), bytes: Number(row.bytes) };
  const known = await tx.get("SELECT 1 FROM commands WHERE id = $1 AND node_id = $2", id, nodeId);
  return known ? "was finished" : "unknown";
}

/**
 * Calls a command off. One that was never handed to a line ends here; of another, the node must be told.
 * @throws {Failure} not_found.
 */
export async function callOff(tx: Tx, id: string, now: number): Promise<"here" | "node" | "was finished"> {
  const row = await tx.get("SELECT node_id, sequence, finished_at FROM commands WHERE id = $1", id);
  if (!row) throw unknownCommand(id);
  const nodeId = String(row.node_id);
  if (row.finished_at !== null) return "was finished";
  const { handed } = await queueOf(tx, nodeId);
  if (Number(row.sequence) > handed) {
    await finishHere(tx, id, { why: calledOffHere, now });
    return "here";
  }
  await tx.run("UPDATE commands SET called_off = 1 WHERE id = $1", id);
  return "node";
}

/** The failure of whoever asks for a command that is not here. */
export function unknownCommand(id: string): Error {
  return failure("not_found", `there is no command ${id} here: its result is forgotten, or it never was`);
}
