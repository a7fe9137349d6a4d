import { create, type Message, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { PolicyDenialSchema } from "../../../gen/edge/v1/policy_pb.ts";
import { asFailure, Failure } from "../../base/failure.ts";
import { deniedFailure } from "../policy/index.ts";
import { type Asker, askerOf, callerOf, type TaskAsker, withTask } from "./asker.ts";
import type { Room } from "./room.ts";

/** Does what is asked once. */
export type Method<I extends Message, O> = (
  room: Room,
  request: I,
  asker: TaskAsker,
  signal: AbortSignal,
) => O | Promise<O>;

/** Answers again and again, until the caller leaves. */
export type Streaming<I extends Message, O> = (
  room: Room,
  request: I,
  asker: TaskAsker,
  signal: AbortSignal,
) => AsyncIterable<O>;

/** A method as Connect serves it. Around each: the limits of the cell, the policy of the node, and what is told of both. */
export function guarded<I extends Message, O>(room: Room, method: Method<I, O>) {
  return async (request: I, context: HandlerContext): Promise<O> => {
    const asker = askerOf(context);
    const leave = entered(room, asker, "calls", request, context);
    try {
      const claimed = await withTask(room, asker, context.signal);
      judged(room, claimed, request, context);
      return await method(room, request, claimed, context.signal);
    } catch (thrown) {
      throw told(room, asker, request, context, thrown);
    } finally {
      leave();
    }
  };
}

/** The same for a method that streams. */
export function guardedStream<I extends Message, O>(room: Room, method: Streaming<I, O>) {
  return async function* (request: I, context: HandlerContext): AsyncGenerator<O> {
    const asker = askerOf(context);
    const leave = entered(room, asker, "streams", request, context);
    try {
      const claimed = await withTask(room, asker, context.signal);
      judged(room, claimed, request, context);
      yield* method(room, request, claimed, context.signal);
    } catch (thrown) {
      throw told(room, asker, request, context, thrown);
    } finally {
      leave();
    }
  };
}

/** The name of what is asked, as policy knows it. */
export function commandOf({ method }: HandlerContext): string {
  return method.name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
}

export function entered(
  room: Room,
  asker: Asker,
  kind: "calls" | "streams",
  request: Message,
  { method, requestHeader }: HandlerContext,
): () => void {
  try {
    const said = Number(requestHeader.get("content-length"));
    return asker.limits.enter(kind, said > 0 ? said : toBinary(method.input, request).length);
  } catch (thrown) {
    room.incidents.limit(asker, asFailure(thrown).message);
    throw thrown;
  }
}

/** @throws {Failure} denied: by the node's policy. */
export function judged(room: Room, asker: Asker, request: Message, context: HandlerContext): void {
  const asked = { command: commandOf(context), request, subject: subjectOf(request) };
  const denials = room.policy.judge(callerOf(asker), asked);
  if (denials.length === 0) return;
  room.incidents.denied(asker, asked, denials);
  throw deniedFailure(denials, asked.command);
}

/** Tells of a failure what is to be told, and hands it on. */
function told(room: Room, asker: Asker, request: Message, context: HandlerContext, thrown: unknown): unknown {
  if (!(thrown instanceof Failure)) return thrown;
  const command = commandOf(context);
  if (thrown.kind === "exhausted") room.incidents.limit(asker, thrown.message);
  // A tree that may not grow is a limit of the broker, whoever counts it.
  else if (thrown.kind === "denied" && command === "spawn_task" && thrown.violations.length === 0) {
    room.incidents.limit(asker, thrown.message);
  } else if (thrown.word.startsWith("rights.")) {
    const denials = thrown.violations.map(({ field, message }) =>
      create(PolicyDenialSchema, { rule: thrown.word, field, value: valueAt(request, field), message }),
    );
    room.incidents.denied(asker, { command, request, subject: subjectOf(request) }, denials);
  }
  return thrown;
}

/** The text at a path of a request, as in `filter.topics[0]`. */
function valueAt(request: Message, path: string): string {
  let at: unknown = request;
  for (const part of path.split(/[.[\]]+/).filter((one) => one !== "")) {
    at = typeof at === "object" && at !== null ? Reflect.get(at, part) : undefined;
  }
  return typeof at === "string" ? at : "";
}

/** What a request is about, as in `agent/poet`. */
function subjectOf(request: Message): string {
  if ("agent" in request && typeof request.agent === "string" && request.agent !== "")
    return `agent/${request.agent}`;
  return "";
}
