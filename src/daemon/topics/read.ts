import { setImmediate as nextTurn } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type ReadMessagesRequest,
  type ReadMessagesResponse,
  ReadMessagesResponseSchema,
  type TopicMessage,
  TopicMessageSchema,
} from "../../../gen/edge/v1/topics_pb.ts";
import { wantedBy } from "./filter.ts";
import type { Topics } from "./topics.ts";

const usualLimit = 100;
/** Messages in one answer, in bytes. */
const answerBytes = 900 << 10;
/** Messages that are looked at in one turn of the event loop. */
const pageSize = 500;

/** What of the log is wanted after a place, as far as it fits into an answer. Nothing of it changes anything. */
export async function read(
  topics: Topics,
  request: ReadMessagesRequest,
  signal: AbortSignal,
): Promise<ReadMessagesResponse> {
  const deadline = AbortSignal.timeout(request.waitMs);
  const waits = AbortSignal.any([signal, deadline]);
  let place = Number(request.afterSequence);
  for await (const _ of topics.changes.wakes(request.waitMs > 0 ? waits : signal)) {
    const found = await look(topics, request, place, signal);
    place = found.place;
    if (found.messages.length > 0 || request.waitMs === 0) return answer(topics, found);
  }
  signal.throwIfAborted();
  return answer(topics, { messages: [], place });
}

interface Found {
  messages: TopicMessage[];
  /** Up to where was looked. */
  place: number;
}

async function look(
  { log }: Topics,
  { filter, limit }: ReadMessagesRequest,
  from: number,
  signal: AbortSignal,
): Promise<Found> {
  const wanted = wantedBy(filter, "");
  const messages: TopicMessage[] = [];
  let bytes = 0;
  let place = from;
  for (;;) {
    const page = log.after(place, pageSize);
    for (const message of page) {
      if (wanted(message, message.topic.split("."))) {
        bytes += toBinary(TopicMessageSchema, message).length;
        if (messages.length === (limit || usualLimit) || (messages.length > 0 && bytes > answerBytes))
          return { messages, place };
        messages.push(message);
      }
      place = Number(message.sequence);
    }
    if (page.length < pageSize) return { messages, place };
    await nextTurn();
    signal.throwIfAborted();
  }
}

function answer({ log }: Topics, { messages, place }: Found): ReadMessagesResponse {
  return create(ReadMessagesResponseSchema, {
    messages,
    lastSequence: BigInt(place),
    firstSequence: BigInt(log.first),
  });
}
