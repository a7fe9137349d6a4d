import { toBinary } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { type Failure, failure, invalidField } from "../../base/failure.ts";
import { capabilityOf, isSameAsk } from "../../wire/commands.ts";
import type { Tx } from "../store/index.ts";
import { queueAndPendingOf, saveQueue } from "./queue.ts";
import { toCommand } from "./rows.ts";

/** Commands without a result that one node may have: a node that is away for long must not fill the hub. */
const pendingLimit = 1000;

/** Results that are kept of one node, newest first. They are also forgotten after a week: see `Commands.run`. */
const resultsOfNode = 1000;

/** A read is not queued: see docs/decisions/0004-reads-are-not-commands-to-keep.md. */
export function mustBeKept(command: Command): void {
  if (!capabilityOf(command)?.isRead) return;
  throw invalidField(
    "command.request",
    `${command.request.case} is a read, which is never queued: call its own method, with the metadata edge-node`,
  );
}

/**
 * Puts a command at the end of a node's queue, and says how many then have no result; or why the queue does not take it:
 * conflict, exhausted. `attended`: its line is up, so that the command may leave at any moment.
 */
export async function enqueue(
  tx: Tx,
  nodeId: string,
  command: Command,
  { now, expiresAt, attended }: { now: number; expiresAt: number; attended: boolean },
): Promise<{ pending: number } | "known" | Failure> {
  const known = await tx.get("SELECT node_id, command FROM commands WHERE id = $1", command.id);
  if (known) {
    if (String(known.node_id) === nodeId && isSameAsk(toCommand(known), command)) return "known";
    return failure("conflict", `the command id ${command.id} belongs to another command: choose a new one`);
  }
  const { pending, ...queue } = await queueAndPendingOf(tx, nodeId);
  if (pending >= pendingLimit) {
    return failure(
      "exhausted",
      `${pendingLimit} commands already wait for node ${nodeId}: try again when it has taken some, or call some off`,
    );
  }
  const sequence = queue.last + 1;
  await tx.run(
    `INSERT INTO commands (id, node_id, sequence, command, queued_at, expires_at, called_off, expired)
     VALUES ($1, $2, $3, $4, $5, $6, 0, 0)`,
    command.id,
    nodeId,
    sequence,
    toBinary(CommandSchema, command),
    now,
    expiresAt,
  );
  const handed = attended && queue.handed === queue.last ? sequence : queue.handed;
  await saveQueue(tx, nodeId, { ...queue, last: sequence, handed });
  if (sequence % 100 === 0) {
    await tx.run(
      "DELETE FROM commands WHERE node_id = $1 AND finished_at IS NOT NULL AND sequence <= $2",
      nodeId,
      sequence - resultsOfNode,
    );
  }
  return { pending: pending + 1 };
}
