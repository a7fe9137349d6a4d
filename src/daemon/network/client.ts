import type { DescMethod, MessageShape } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import { failureSent, grpcMethod } from "../../wire/grpc.ts";
import { maxTransportBytes } from "../../wire/limits.ts";

/** A connection to netmon, opened at the first call. When to try again is decided in one place, and not by gRPC. */
export class NetmonClient implements Disposable {
  readonly #socket: string;
  readonly #client: Client;

  constructor(socket: string) {
    this.#socket = socket;
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      "grpc.enable_http_proxy": 0,
      "grpc.max_receive_message_length": maxTransportBytes,
      "grpc.max_send_message_length": maxTransportBytes,
      // A netmon that hangs breaks no connection by itself.
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 10_000,
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** One call with a deadline. @throws {Failure} netmon's own, or unavailable: it does not answer. */
  async call<M extends DescMethod>(
    method: M,
    request: MessageShape<M["input"]>,
    { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
  ): Promise<MessageShape<M["output"]>> {
    signal.throwIfAborted();
    const { path, requestSerialize, responseDeserialize } = grpcMethod(method);
    const answer = Promise.withResolvers<MessageShape<M["output"]>>();
    const call = this.#client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      { deadline: Date.now() + timeoutMs },
      (error, response) => {
        if (error) answer.reject(error);
        else answer.resolve(response as MessageShape<M["output"]>); // The method's descriptor says so.
      },
    );
    const leave = () => call.cancel();
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await answer.promise;
    } catch (thrown) {
      signal.throwIfAborted();
      throw translated(thrown, this.#socket);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** What netmon tells, until it ends, breaks or the signal is aborted. @throws {Failure} as `call` does. */
  async *watch<M extends DescMethod>(
    method: M,
    request: MessageShape<M["input"]>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<M["output"]>, void> {
    signal.throwIfAborted();
    const { path, requestSerialize, responseDeserialize } = grpcMethod(method);
    const stream = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    stream.on("error", () => {}); // Whoever reads the stream hears of it; without any listener the process would end.
    const leave = () => stream.cancel();
    signal.addEventListener("abort", leave, { once: true });
    try {
      for await (const told of stream) yield told as MessageShape<M["output"]>; // The method's descriptor says so.
    } catch (thrown) {
      signal.throwIfAborted();
      throw translated(thrown, this.#socket);
    } finally {
      signal.removeEventListener("abort", leave);
      stream.cancel();
    }
  }
}

const nextStep = "start it (orchestrator netmon start)";

/** Why a socket cannot be reached, by the code in grpc-js's sentence, and what to do. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/ENOENT/, `is not there: ${nextStep}, and check netmon.socket`],
  [/ECONNREFUSED/, `does not run: ${nextStep}`],
  [/EACCES|EPERM/, "may not be reached by this user: add it to the group of the socket, or run as root"],
];

/** The failure behind an error of grpc-js: netmon's own, or that it does not answer. */
export function translated(thrown: unknown, socket: string): Failure {
  if (!isServiceError(thrown)) return asFailure(thrown);
  const sent = failureSent(thrown);
  if (sent) return sent;
  const netmon = `netmon at ${socket}`;
  if (thrown.code === status.UNIMPLEMENTED) {
    return failure("unsupported", `${netmon} does not know this: it is older than the daemon, update it`, {
      cause: thrown,
    });
  }
  if (thrown.code === status.DEADLINE_EXCEEDED) {
    return failure("unavailable", `${netmon} did not answer in time: see its log`, { cause: thrown });
  }
  const hint =
    hints.find(([says]) => says.test(thrown.details))?.[1] ?? `went away (${thrown.details}): ${nextStep}`;
  return failure("unavailable", `${netmon} ${hint}`, { cause: thrown });
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown && "metadata" in thrown;
}
