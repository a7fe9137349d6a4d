import { create } from "@bufbuild/protobuf";
import type { Command, Result } from "../../gen/edge/v1/command_pb.ts";
import { CommandState, type WatchCommandResponse } from "../../gen/edge/v1/fleet_pb.ts";
import { failure } from "../base/failure.ts";
import { newId } from "../base/ids.ts";
import type { CommandCase, RequestOf, ResponseOf } from "../wire/commands.ts";
import { toCommand, toResponse } from "../wire/doors.ts";
import { maxBudgetMs, usualBudgetMs } from "../wire/limits.ts";
import { capabilityNamed, type Door } from "./door.ts";
import { isCutOff, isLoss, patience } from "./patience.ts";
import { describeProgress, ProgressLine } from "./progress.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import type { Target } from "./target.ts";

/** What became of a command: its response, or the command itself when nobody wanted to wait. */
export type Outcome<C extends CommandCase> =
  | { is: "answered"; response: ResponseOf<C> }
  | { is: "submitted"; command: Command };

/**
 * Sends a command that changes something and waits for its response, showing progress; with `wait` false, only puts it into
 * the node's queue. Ctrl-C and `--timeout` end the waiting, never the command, and say how to go on watching it.
 * @throws {Failure} the command's own, or `unsupported` for not waiting at the local door, which has no queue.
 */
export async function carryOut<C extends CommandCase>(
  run: Run,
  door: Door,
  target: Target,
  name: C,
  request: Omit<RequestOf<C>, "$typeName" | "$unknown">,
  { wait }: { wait: boolean },
): Promise<Outcome<C>> {
  const id = newId("cmd");
  const { timeout } = run.flags;
  if (target === undefined) {
    if (!wait)
      throw failure("unsupported", "--no-wait needs the hub's queue: leave out --local or --no-wait");
    using line = new ProgressLine(run);
    line.show("waiting for the node ...");
    const timeoutMs = timeout ?? usualBudgetMs(request); // As the node has it.
    const response = await door.ask(name, request, { commandId: id, timeoutMs });
    return { is: "answered", response };
  }
  const capability = capabilityNamed(name);
  const command = toCommand(capability, create(capability.method.input, request), {
    id,
    budgetMs: Math.min(timeout ?? 0, maxBudgetMs),
    actor: "", // The hub says who we are.
  });
  await submit(run, door, { nodeId: target.id, command });
  if (!wait) return { is: "submitted", command };
  if (!target.connected) {
    run.terminal.err(`node ${target.id} is away: the command waits in its queue. Ctrl-C leaves it there.\n`);
  }
  const result = await watchToEnd(run, door, id);
  // The outcome of the same case.
  return { is: "answered", response: toResponse(capability, result) as ResponseOf<C> };
}

/** Puts a command into a node's queue. When the hub is lost meanwhile it may be there, and is put again: of one id there is one. */
async function submit(run: Run, door: Door, asked: { nodeId: string; command: Command }): Promise<void> {
  const { clock, signal } = run;
  using line = new ProgressLine(run);
  const { wait } = patience(clock, (sentence) => line.show(sentence, sentence));
  for (let mayBeThere = false; ; ) {
    try {
      await door.fleet.submitCommand(asked, { signal, timeoutMs: 30_000 });
      return;
    } catch (thrown) {
      mayBeThere ||= isCutOff(thrown);
      if (signal.aborted || !mayBeThere || !isLoss(thrown)) throw thrown;
      const look = `see \`orchestrator command watch ${asked.command.id}\``;
      await wait(`the hub is gone, and may have the command: ${look}`, signal);
    }
  }
}

/** Watches a command until it has a result, over interruptions of the hub; `seen` gets every picture of it. */
export async function watchToEnd(
  run: Run,
  door: Door,
  id: string,
  seen: (update: WatchCommandResponse) => void = () => {},
): Promise<Result> {
  const { clock, signal, flags } = run;
  const limit = flags.timeout === undefined ? undefined : AbortSignal.timeout(flags.timeout);
  const stop = limit ? AbortSignal.any([signal, limit]) : signal;
  using line = new ProgressLine(run);
  const { renew, wait } = patience(clock, (sentence) => line.show(sentence, sentence));
  const follow = `follow it with \`orchestrator command watch ${id}\``;
  for (;;) {
    try {
      for await (const update of door.fleet.watchCommand({ id }, { signal: stop })) {
        renew();
        seen(update);
        if (update.command?.result) return update.command.result;
        const { progress } = update;
        if (progress && progress.phase !== "")
          line.show(describeProgress(progress), printable(progress.phase));
        else line.show(describeState(update));
      }
    } catch (thrown) {
      if (signal.aborted)
        throw failure("cancelled", `not waiting any longer; the command goes on: ${follow}`);
      if (limit?.aborted) {
        throw failure("deadline", `no result within the time of --timeout; the command goes on: ${follow}`);
      }
      if (!isLoss(thrown)) throw thrown;
    }
    await wait(`the hub is gone; the command goes on: ${follow}`, stop);
  }
}

function describeState({ command }: WatchCommandResponse): string {
  return command?.state === CommandState.QUEUED ? "queued, not yet at the node ..." : "at work ...";
}
