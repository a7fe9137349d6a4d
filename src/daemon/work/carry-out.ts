import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { checkCommand, commandNameOf } from "../../wire/commands.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import { maxFrameBytes } from "../../wire/limits.ts";
import { traced } from "../../wire/tracing.ts";
import type { Ask } from "./ask.ts";

/** The response to a command, or the failure. */
export type Outcome = Result["outcome"];

/** Calls the handler of a command. The daemon makes it from the table and its rooms. */
export type Dispatch = (request: NonNullable<Command["request"]>, ask: Ask) => Promise<Outcome>;

/** Room that a result's envelope needs beside its outcome: id, times, and the frame around it, in bytes. */
const envelopeBytes = 256;

/**
 * Turns whatever a handler does into exactly one outcome, at the latest when the ask's signal is aborted: a handler that
 * never returns does not keep its caller. What it does after that is only logged.
 */
export async function outcomeOf(
  command: Command,
  ask: Ask,
  { dispatch, log }: { dispatch: Dispatch; log: Logger },
): Promise<Outcome> {
  try {
    checkCommand(command, "this node");
    ask.signal.throwIfAborted();
    const name = `handle ${commandNameOf(command) ?? "unknown"}`;
    const handling = traced(name, { parent: command.traceparent }, () => dispatch(command.request, ask));
    return await Promise.race([handling, rejectWhenAborted(ask.signal, handling, log, command.id)]);
  } catch (thrown) {
    const told = asFailure(thrown);
    if (told.kind === "internal")
      log.error({ command: command.id, error: thrown }, "command failed by a defect");
    return failed(told);
  }
}

/** The outcome that a failure is. */
export function failed(thrown: unknown): Outcome {
  return { case: "failure", value: toFailureMessage(asFailure(thrown)) };
}

/** The outcome of a command whose signal was aborted, a moment later: a handler's own words for it are better than ours. */
export async function outcomeOfAbort(signal: AbortSignal): Promise<Outcome> {
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return failed(signal.reason);
}

function rejectWhenAborted(
  signal: AbortSignal,
  handling: Promise<unknown>,
  log: Logger,
  command: string,
): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => {
      // A handler that listens to its signal ends with a better sentence; it gets one turn of the event loop to say it.
      setImmediate(() => reject(signal.reason));
      handling.then(
        () => log.warn({ command }, "command was done after its answer had been given"),
        (error: unknown) => log.debug({ command, error }, "command ended after its answer had been given"),
      );
    };
    signal.addEventListener("abort", onAbort, { once: true });
    handling.then(
      () => signal.removeEventListener("abort", onAbort),
      () => signal.removeEventListener("abort", onAbort),
    );
  });
}

/** The result with this outcome, or with `exhausted` when it would not fit into a frame. */
export function resultOf(command: Command, outcome: Outcome, tookMs: number, clock: Clock): Result {
  const result = create(ResultSchema, {
    commandId: command.id,
    finishedAt: timestampFromMs(clock.now()),
    tookMs: Math.round(tookMs),
    outcome,
  });
  const sizeBytes = toBinary(ResultSchema, result).length + envelopeBytes;
  if (sizeBytes <= maxFrameBytes) return result;
  const told = failure(
    "exhausted",
    `the answer is ${sizeBytes} bytes long; a frame holds ${maxFrameBytes}: ask for less`,
  );
  return { ...result, outcome: failed(told) };
}
