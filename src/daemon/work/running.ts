import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { Caller } from "../../../gen/edge/v1/policy_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { commandNameOf } from "../../wire/commands.ts";
import { workFacts } from "./facts.ts";
import type { Accepted } from "./store.ts";

/** Commands without a result, of all workloads; one more is answered `exhausted`. A hub keeps as many for one node. */
export const unfinishedLimit = 1_000;

/** What is to be carried out. */
export type Pending = Omit<Accepted, "result" | "reportSequence">;

/** A command between its acceptance and its result. */
export interface Running {
  command: Command;
  caller: Caller;
  fromHub: boolean;
  /** Aborts it: it was called off. */
  abort: AbortController;
  /** Elapsed milliseconds. */
  startedAt: number;
  usedBeforeMs: number;
  /** Under way as soon as the outcome is known. */
  answer: Promise<void> | undefined;
  result: PromiseWithResolvers<Result>;
}

/** A command that begins now, or goes on. */
export function begun({ command, caller, fromHub, usedMs }: Pending, startedAt: number): Running {
  const result = Promise.withResolvers<Result>();
  result.promise.catch(() => {}); // Nobody need wait for it.
  const abort = new AbortController();
  return { command, caller, fromHub, abort, startedAt, usedBeforeMs: usedMs, answer: undefined, result };
}

/** Why one more is not taken. */
export function tooMany(): Failure {
  return failure(
    "exhausted",
    `${unfinishedLimit} commands of this node are unfinished: try again when some are done`,
  );
}

/** Tells people, and whoever counts, what became of a command. */
export function tellEnd(log: Logger, command: Command, { outcome, tookMs }: Result): void {
  const { id, request, actor } = command;
  const isFailure = outcome.case === "failure";
  workFacts.tell({ ask: commandNameOf(command) ?? "unknown", isFailure, seconds: tookMs / 1000 });
  const fields = { command: id, ask: request.case, actor, ms: tookMs };
  if (outcome.case === "failure") log.warn({ ...fields, reason: outcome.value.message }, "command failed");
  else log.info(fields, "command done");
}
