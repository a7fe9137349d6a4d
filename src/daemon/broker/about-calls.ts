import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CallRequest,
  CallResponseSchema,
  type ReplyRequest,
  ReplyResponseSchema,
  type TakeCallsRequest,
  type TakeCallsResponseSchema,
} from "../../../gen/edge/v1/broker_pb.ts";
import { failure } from "../../base/failure.ts";
import { holderOf, type TaskAsker } from "./asker.ts";
import { checkAgent } from "./rights.ts";
import type { Room } from "./room.ts";

export async function call(
  { calls, agents }: Room,
  request: CallRequest,
  asker: TaskAsker,
  signal: AbortSignal,
) {
  checkAgent(holderOf(asker), "call", request.agent);
  if (!agents.has(request.agent))
    throw failure("not_found", `there is no agent ${request.agent} on this node`);
  return create(CallResponseSchema, await calls.call(partyOf(asker), request, signal));
}

export async function* takeCalls(
  { calls }: Room,
  _: TakeCallsRequest,
  asker: TaskAsker,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof TakeCallsResponseSchema>> {
  using taker = calls.take(partyOf(asker));
  for (;;) {
    const { id: callId, from, payload } = await taker.next(signal);
    yield { callId, agent: from.agent, taskId: from.taskId, payload };
  }
}

export function reply({ calls }: Room, { callId, payload, refused }: ReplyRequest, { task }: TaskAsker) {
  calls.reply(task.id, callId, refused === "" ? { payload } : { refused });
  return create(ReplyResponseSchema);
}

function partyOf({ cell, task }: TaskAsker) {
  return { agent: cell.agent, taskId: task.id };
}
