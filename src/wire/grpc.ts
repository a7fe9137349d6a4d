import type { EventEmitter } from "node:events";
import { type DescMethod, type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type Deadline,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { type Failure, failure } from "../base/failure.ts";
import { fromStatusDetails, statusDetailsKey, toStatusDetails } from "./failures.ts";

/** A service of ours as grpc-js wants it: the descriptors' own codec, and nothing of proto-loader. */
export function grpcService(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, grpcMethod(method)]));
}

/** One method as grpc-js wants it. */
export function grpcMethod(method: DescMethod): MethodDefinition<Message, Message> {
  const { input, output, methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

/** A failure as grpc-js sends it, with `edge.v1.Failure` among its details. */
export function toServiceError(thrown: unknown): Partial<ServiceError> {
  const { code, message, details } = toStatusDetails(thrown);
  const metadata = new Metadata();
  metadata.set(statusDetailsKey, Buffer.from(details));
  return { code, details: message, metadata };
}

/** The failure that the other side sent among the details of an error; undefined when the error is gRPC's own. */
export function failureSent({ metadata }: Pick<ServiceError, "metadata">): Failure | undefined {
  const [details] = metadata.get(statusDetailsKey);
  return Buffer.isBuffer(details) ? fromStatusDetails(details) : undefined;
}

/** What tells of a stream's messages and of its end, whatever carries it. */
export type FrameEvents = Pick<EventEmitter, "on" | "once" | "off">;

/** What of a stream is used here; `write` takes whatever message the stream is for. */
type Writable = Pick<FrameEvents, "once" | "off"> & { write(message: never): boolean };

/**
 * Writes one message and waits until the stream wants more. Without this wait grpc-js keeps everything in memory that a slow
 * other side does not take. Rejects with the signal's reason; a stream that dies while we wait ends the wait through it.
 */
export async function writeAndDrain(stream: Writable, message: Message, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  // The types of grpc-js streams fix their message; this one takes what its method serialises.
  if ((stream as { write(message: Message): boolean }).write(message)) return;
  await new Promise<void>((resolve, reject) => {
    const drained = () => {
      signal.removeEventListener("abort", stopped);
      resolve();
    };
    const stopped = () => {
      stream.off("drain", drained);
      reject(signal.reason);
    };
    stream.once("drain", drained);
    signal.addEventListener("abort", stopped, { once: true });
  });
}

/** A unary method as grpc-js serves it: the signal is aborted when the caller leaves or its time runs out. */
export function unaryHandler<I extends Message, O extends Message>(
  handle: (request: I, context: CallContext) => Promise<O> | O,
): handleUnaryCall<I, O> {
  return (call, callback) => {
    const left = new AbortController();
    call.on("cancelled", () => left.abort(failure("cancelled", "the caller left")));
    const answer = async () =>
      handle(call.request, { metadata: call.metadata, signal: left.signal, remainingMs: remaining(call) });
    answer().then(
      (response) => callback(null, response),
      (thrown: unknown) => callback(toServiceError(thrown)),
    );
  };
}

/** A method that streams its answers, at the pace of the one who reads them. */
export function streamHandler<I extends Message, O extends Message>(
  handle: (request: I, context: CallContext) => AsyncIterable<O>,
): handleServerStreamingCall<I, O> {
  return (call) => {
    const left = new AbortController();
    call.on("cancelled", () => left.abort(failure("cancelled", "the caller left")));
    const answer = async () => {
      const context = { metadata: call.metadata, signal: left.signal, remainingMs: remaining(call) };
      for await (const message of handle(call.request, context))
        await writeAndDrain(call, message, left.signal);
    };
    answer().then(
      () => call.end(),
      (thrown: unknown) => left.signal.aborted || call.destroy(toServiceError(thrown) as ServiceError),
    );
  };
}

/** What a handler knows of its call beside the request. */
export interface CallContext {
  metadata: Metadata;
  signal: AbortSignal;
  /** What is left of the caller's deadline in milliseconds; undefined when it set none. */
  remainingMs: number | undefined;
}

function remaining(call: { getDeadline(): Deadline }): number | undefined {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? Math.max(1, deadline - Date.now()) : undefined;
}
