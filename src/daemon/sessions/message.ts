import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Session,
  type SessionMessage,
  SessionMessageSchema,
  SessionSchema,
} from "../../../gen/edge/v1/sessions_pb.ts";
import type { Kept, KeptMessage } from "./store.ts";

/** The most that an answer holds of messages, in bytes. */
const mostBytes = 900 << 10;

/** A session as the contract says it. `timesOutAt` is wall time, for people. */
export function toSession(one: Kept, timesOutAt: number | undefined): Session {
  const { id, agent, owner, title, state, reason, messages, labels } = one;
  return create(SessionSchema, {
    ...{ id, agent, owner, title, state, reason, messages, labels: [...labels] },
    createdAt: timestampFromMs(one.createdAt),
    activeAt: timestampFromMs(one.activeAt),
    sizeBytes: BigInt(one.sizeBytes),
    ...(timesOutAt !== undefined && { timesOutAt: timestampFromMs(timesOutAt) }),
    ...(one.closedAt !== undefined && { closedAt: timestampFromMs(one.closedAt) }),
  });
}

/** Messages as the contract says them, as many as an answer holds: the first ones, or the newest. One has room always. */
export function toMessages(kept: readonly KeptMessage[], { newest }: { newest: boolean }): SessionMessage[] {
  const all = kept.map(toMessage);
  const wanted = newest ? all.toReversed() : all;
  let leftBytes = mostBytes;
  const end = wanted.findIndex((one) => {
    leftBytes -= toBinary(SessionMessageSchema, one).length + 8;
    return leftBytes < 0;
  });
  const held = end < 0 ? wanted : wanted.slice(0, end);
  return newest ? held.toReversed() : held;
}

function toMessage({ sequence, at, role, content, tool, toolCallId, taskId }: KeptMessage): SessionMessage {
  return create(SessionMessageSchema, {
    ...{ role, content, tool, toolCallId, taskId },
    sequence: BigInt(sequence),
    at: timestampFromMs(at),
  });
}
