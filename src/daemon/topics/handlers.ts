import { create } from "@bufbuild/protobuf";
import {
  type ListDeadLettersRequest,
  type ListDeadLettersResponse,
  ListDeadLettersResponseSchema,
  type ListSubscriptionsRequest,
  type ListSubscriptionsResponse,
  ListSubscriptionsResponseSchema,
  type PublishMessageRequest,
  type PublishMessageResponse,
  PublishMessageResponseSchema,
  type ReadMessagesRequest,
  type ReadMessagesResponse,
} from "../../../gen/edge/v1/topics_pb.ts";
import type { Ask } from "../work/index.ts";
import { checkDraft } from "./check.ts";
import { read } from "./read.ts";
import type { Topics } from "./topics.ts";

interface Rooms {
  topics: Topics;
}

/** @throws {Failure} denied: the topic is the node's own, or a tree's. exhausted: a subscriber wants publishers to stand still. */
export async function publishMessage(
  { topics }: Rooms,
  request: PublishMessageRequest,
  ask: Ask,
): Promise<PublishMessageResponse> {
  checkDraft(request);
  const { sequence, subscribers } = await topics.publish({
    ...request,
    publisher: ask.actor,
    commandId: ask.id,
  });
  return create(PublishMessageResponseSchema, { sequence: BigInt(sequence), subscribers });
}

/** Messages after a place; waits for the first one when it is asked to. */
export function readMessages(
  { topics }: Rooms,
  request: ReadMessagesRequest,
  { signal }: Ask,
): Promise<ReadMessagesResponse> {
  return read(topics, request, signal);
}

export async function listSubscriptions(
  { topics }: Rooms,
  _: ListSubscriptionsRequest,
): Promise<ListSubscriptionsResponse> {
  const subscriptions = topics.subscriptions().map(({ ask, queued, queueLimit, taken, dropped }) => ({
    ...{ subscriber: ask.subscriber, taskId: ask.taskId, group: ask.group ?? "", overflow: ask.overflow },
    ...{ queued, queueLimit, taken: BigInt(taken), dropped: BigInt(dropped) },
    ...(ask.filter ? { filter: ask.filter } : {}),
  }));
  return create(ListSubscriptionsResponseSchema, { subscriptions });
}

export async function listDeadLetters(
  { topics }: Rooms,
  request: ListDeadLettersRequest,
): Promise<ListDeadLettersResponse> {
  return create(ListDeadLettersResponseSchema, { letters: topics.deadLetters(request) });
}
