import { ConnectError, type ContextValues, type Interceptor } from "@connectrpc/connect";
import { asFailure, Failure, failure } from "../base/failure.ts";
import type { Logger } from "../base/log.ts";
import { toConnectError } from "./failures.ts";
import { traced } from "./tracing.ts";
import { validate } from "./validation.ts";

/**
 * Around every call: its request is checked by the rules of the contract before a handler sees it, it ends when its caller may
 * call no more, and what it throws leaves as a failure. A defect is logged whole; the caller learns only that there was one.
 */
export function aroundCalls(
  log: Logger,
  whileAllowed: (values: ContextValues, signal: AbortSignal) => AbortSignal,
): Interceptor {
  return (next) => async (request) => {
    const signal = whileAllowed(request.contextValues, request.signal);
    const told = (thrown: unknown): ConnectError => {
      const failed = asFailure(thrown);
      if (!(thrown instanceof ConnectError) && failed !== thrown && failed.kind === "internal") {
        log.error({ method: `/${methodOf(request)}`, error: thrown }, "call failed");
      }
      return toConnectError(thrown);
    };
    try {
      if (!request.stream) {
        validate(request.method.input, request.message);
        const parent = request.header.get("traceparent") ?? "";
        return await traced(methodOf(request), { kind: "server", parent }, () =>
          next({ ...request, signal }),
        );
      }
      const { input } = request.method;
      const message = each(request.message, (one) => validate(input, one));
      const response = await next({ ...request, signal, message });
      return response.stream ? { ...response, message: toItsEnd(response.message, signal, told) } : response;
    } catch (thrown) {
      throw told(thrown);
    }
  };
}

function methodOf({ method }: Parameters<ReturnType<Interceptor>>[0]): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** What a caller sends, checked. That its connection breaks while it does is no defect of ours. */
async function* each<T>(messages: AsyncIterable<T>, check: (message: T) => void): AsyncGenerator<T> {
  try {
    for await (const message of messages) {
      check(message);
      yield message;
    }
  } catch (thrown) {
    if (thrown instanceof Failure || thrown instanceof ConnectError) throw thrown;
    throw failure("cancelled", "the request broke off", { cause: thrown });
  }
}

/**
 * What a watcher is sent. A source ends quietly when its signal is aborted; the watcher must hear why: its token was revoked,
 * the hub stops, its time is over.
 */
async function* toItsEnd<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  told: (thrown: unknown) => ConnectError,
): AsyncGenerator<T> {
  try {
    yield* messages;
    signal.throwIfAborted();
  } catch (thrown) {
    throw told(thrown);
  }
}
