import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import type { RemoveNodeRequest, RemoveNodeResponseSchema } from "../../../gen/edge/v1/fleet_pb.ts";
import type { DecommissionResponse } from "../../../gen/edge/v1/node_pb.ts";
import { asFailure, failure } from "../../base/failure.ts";
import { newId } from "../../base/ids.ts";
import { fromFailureMessage } from "../../wire/failures.ts";
import { defaultBudgetMs } from "../../wire/limits.ts";
import { actorOf } from "./caller.ts";
import { budgetMsOf } from "./node-door.ts";
import type { Rooms } from "./rooms.ts";

type Asked = Pick<RemoveNodeRequest, "id" | "workloads" | "onlyHere">;

/** Commands of a node that are looked through for what it has already answered. */
const looked = 100;

/**
 * Takes a node out of the fleet in two halves: first the node's, as far as it can be reached, then the hub's. A node that is
 * away is told its half when it dials.
 */
export async function removeNode(
  rooms: Rooms,
  { id, workloads, onlyHere }: Asked,
  context: HandlerContext,
): Promise<MessageInitShape<typeof RemoveNodeResponseSchema>> {
  const { fleet, log } = rooms;
  fleet.mustHave(id);
  const half = onlyHere ? undefined : await nodesHalf(rooms, { id, workloads, onlyHere }, context);
  await fleet.remove(id, { workloads: onlyHere ? undefined : workloads });
  log.info(
    { node: id, actor: actorOf(context), nodeDone: half !== undefined },
    "node removed by an operator",
  );
  return { nodeDone: half !== undefined, removed: half?.removed ?? [] };
}

/** What the node has done, now or, when this hub broke off after it, before; undefined when it is away and has done nothing. */
async function nodesHalf(
  rooms: Rooms,
  asked: Asked,
  context: HandlerContext,
): Promise<DecommissionResponse | undefined> {
  const { fleet, commands } = rooms;
  if (fleet.isConnected(asked.id)) return await askNode(rooms, asked, context);
  for (const { command, result } of await commands.list(asked.id, { pendingOnly: false, limit: looked })) {
    const isSame =
      command?.request.case === "decommission" && command.request.value.workloads === asked.workloads;
    if (isSame && result?.outcome.case === "decommission") return result.outcome.value;
  }
  return undefined;
}

/** Has the node do its half. One that is not waited for any longer is called off: nothing is to happen by surprise. */
async function askNode(
  { commands }: Rooms,
  { id, workloads }: Asked,
  context: HandlerContext,
): Promise<DecommissionResponse> {
  const actor = actorOf(context);
  const budgetMs = budgetMsOf(context) || defaultBudgetMs;
  const request = { case: "decommission" as const, value: { workloads } };
  const command = create(CommandSchema, { id: newId("cmd"), budgetMs, actor, request });
  try {
    await commands.submit(id, command, { actor, expiresInMs: budgetMs });
    const limit = AbortSignal.any([context.signal, AbortSignal.timeout(budgetMs)]);
    const { outcome } = await commands.result(command.id, limit);
    if (outcome.case === "decommission") return outcome.value;
    throw outcome.case === "failure"
      ? fromFailureMessage(outcome.value)
      : failure(
          "unsupported",
          "the node answered with something that this hub does not know: update the hub",
        );
  } catch (thrown) {
    await commands.cancel(command.id).catch(() => {}); // It may have its result, or never have been taken.
    const { kind, message } = asFailure(thrown);
    const sentence = `node ${id} is still in the fleet, for its own half failed: ${message}`;
    throw failure(kind, `${sentence}. A machine that is lost is removed with --only-here`, { cause: thrown });
  }
}
