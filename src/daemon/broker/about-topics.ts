import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type PublishRequest,
  PublishResponseSchema,
  type SettleRequest,
  SettleResponseSchema,
  type SubscribeRequest,
  type SubscribeResponseSchema,
  type TellRequest,
  TellResponseSchema,
} from "../../../gen/edge/v1/broker_pb.ts";
import { MessageUrgency } from "../../../gen/edge/v1/topics_pb.ts";
import { failure, invalidField } from "../../base/failure.ts";
import { checkDraft, toAttribute, treeTopic } from "../topics/index.ts";
import { actorOf, holderOf, type TaskAsker } from "./asker.ts";
import { checkPublish, subscribable } from "./rights.ts";
import type { Room } from "./room.ts";

export async function publish({ topics }: Room, { message }: PublishRequest, asker: TaskAsker) {
  if (!message) throw invalidField("message", "is required");
  checkDraft(message);
  checkPublish(holderOf(asker), message.topic);
  const { sequence } = await topics.publish({ ...message, ...publisher(asker) });
  return create(PublishResponseSchema, { sequence: BigInt(sequence) });
}

export async function* subscribe(
  { topics }: Room,
  request: SubscribeRequest,
  asker: TaskAsker,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof SubscribeResponseSchema>> {
  const { afterSequence, overflow, queueLimit, settleMs, attempts, group } = request;
  const ask = {
    ...{ subscriber: actorOf(asker), taskId: asker.task.id, overflow, queueLimit },
    filter: subscribable(holderOf(asker), asker.task.rootId, request.filter),
    ...(afterSequence === undefined ? {} : { afterSequence: Number(afterSequence) }),
  };
  using subscribed =
    group === ""
      ? topics.subscribe(ask)
      : topics.join({ ...ask, group: groupOf(asker, group), settleMs, attempts });
  for (;;) {
    const { message, dropped, attempt } = await subscribed.next(signal);
    yield { message, dropped: BigInt(dropped), attempt };
  }
}

export async function settle({ topics }: Room, { group, sequence, done }: SettleRequest, asker: TaskAsker) {
  await topics.settle(groupOf(asker, group), asker.task.id, Number(sequence), done);
  return create(SettleResponseSchema);
}

export async function tell({ topics, tasks }: Room, { taskId, payload }: TellRequest, asker: TaskAsker) {
  const { rootId } = asker.task;
  if (taskId !== "" && !tasks.unfinishedOf(rootId).some(({ id }) => id === taskId)) {
    throw failure("not_found", `there is no unfinished task ${taskId} in this tree`);
  }
  const told = await topics.publish({
    ...{ topic: treeTopic(rootId), payload, urgency: MessageUrgency.NORMAL, correlationId: "" },
    attributes: taskId === "" ? [] : [{ $typeName: "edge.v1.Label", key: toAttribute, value: taskId }],
    ...publisher(asker),
  });
  return create(TellResponseSchema, { tasks: told.tasks });
}

function publisher(asker: TaskAsker) {
  return { publisher: actorOf(asker), taskId: asker.task.id };
}

/** Groups are each agent's own: two agents may use the same name and never meet. */
function groupOf({ cell }: TaskAsker, group: string): string {
  return `${cell.agent}/${group}`;
}
