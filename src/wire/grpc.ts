import { type DescMethod, type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type ClientDuplexStream,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { statusDetailsKey, toStatusDetails } from "./failures.ts";

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

type Writable = Pick<ClientDuplexStream<never, Message>, "write" | "once" | "off" | "destroyed">;

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
