import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Command, type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { FleetCommandSchema } from "../../../gen/edge/v1/fleet_pb.ts";
import { Failure, failure } from "../../base/failure.ts";
import type { Replicas } from "../replicas/index.ts";

/** Asks a node that has its line here. Fails as `Line.read` does. */
type Read = (nodeId: string, command: Command, signal: AbortSignal) => Promise<Result>;

/** What an answer may take over the budget of its command, with the way to the other replica, in milliseconds. */
const wayMs = 6_000;

/** The budget of a read that names none, in milliseconds. */
const defaultBudgetMs = 30_000;

/** Answers what other replicas ask of nodes that have their lines here, until the returned function is called. */
export function serveReads(replicas: Replicas, read: Read): () => void {
  return replicas.bus.serve(`read.${replicas.id}`, async ({ data }) => {
    const { nodeId, command } = fromBinary(FleetCommandSchema, data);
    if (!command) throw failure("invalid", "a question without a command came from another replica");
    const over = AbortSignal.timeout((command.budgetMs || defaultBudgetMs) + wayMs);
    return toBinary(ResultSchema, await read(nodeId, command, over));
  });
}

/** Asks a node through the replica that has its line. Fails as `Line.read` does. */
export async function readElsewhere(
  { bus }: Replicas,
  { owner, nodeId, command }: { owner: string; nodeId: string; command: Command },
  signal: AbortSignal,
): Promise<Result> {
  const asked = toBinary(FleetCommandSchema, create(FleetCommandSchema, { nodeId, command }));
  const timeoutMs = (command.budgetMs || defaultBudgetMs) + 2 * wayMs;
  try {
    return fromBinary(ResultSchema, await bus.request(`read.${owner}`, asked, { timeoutMs, signal }));
  } catch (thrown) {
    if (bus.problem || !(thrown instanceof Failure) || thrown.kind !== "unavailable") throw thrown;
    throw failure(
      "unavailable",
      `node ${nodeId} cannot be asked now, for the replica that has its line has gone or lost it: try again in a moment`,
      { cause: thrown },
    );
  }
}
