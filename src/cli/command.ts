import type { Command } from "commander";
import {
  CancelCommandResponseSchema,
  CommandState,
  type FleetCommand,
  GetCommandResponseSchema,
  ListCommandsResponseSchema,
  WatchCommandResponseSchema,
} from "../../gen/edge/v1/fleet_pb.ts";
import { formatDuration } from "../base/quantity.ts";
import { workloadOf } from "../wire/commands.ts";
import { fromFailureMessage } from "../wire/failures.ts";
import { ago, answer, answerLine, moment, word } from "./answer.ts";
import { watchToEnd } from "./carry-out.ts";
import { withDoor } from "./door.ts";
import { whole } from "./flags.ts";
import type { Run } from "./run.ts";
import { rows, sheet } from "./table.ts";
import { findTarget } from "./target.ts";

/** `orchestrator command ...` */
export function defineCommand(noun: Command, run: Run): void {
  noun
    .command("list")
    .description("the commands of a node, newest first")
    .option("--pending", "only those without a result", false)
    .option("--limit <count>", "at most this many", whole(1, 1000), 100)
    .action(({ pending, limit }: { pending: boolean; limit: number }) =>
      withDoor(run, async (door) => {
        const target = await findTarget(run, door);
        const request = { nodeId: target?.id ?? "", pendingOnly: pending, limit };
        const response = await door.fleet.listCommands(request, { signal: run.signal });
        const now = run.clock.now();
        answer(run, ListCommandsResponseSchema, response, () =>
          rows(
            run.terminal,
            ["ID", "WHAT", "WORKLOAD", "STATE", "AGE", "BY", "RESULT"],
            response.commands.map((one) => [
              one.command?.id ?? "",
              one.command?.request.case ?? "",
              (one.command && workloadOf(one.command)) ?? "",
              word(CommandState, one.state),
              ago(one.queuedAt, now),
              one.command?.actor ?? "",
              resultInWords(one),
            ]),
            "no commands",
          ),
        );
      }),
    );

  noun
    .command("get <id>")
    .description("one command and, once there is one, its result")
    .action((id: string) =>
      withDoor(run, async (door) => {
        const response = await door.fleet.getCommand({ id }, { signal: run.signal });
        answer(run, GetCommandResponseSchema, response, () => describeCommand(response.command));
      }),
    );

  noun
    .command("watch <id>")
    .description("how far a command is, until its result; exits as the command ended")
    .action((id: string) =>
      withDoor(run, async (door) => {
        const result = await watchToEnd(run, door, id, (update) =>
          answerLine(run, WatchCommandResponseSchema, update, () => ""),
        );
        if (result.outcome.case === "failure") throw fromFailureMessage(result.outcome.value);
        if (!run.flags.json)
          run.terminal.out(`command ${id} is done, after ${formatDuration(result.tookMs)}\n`);
      }),
    );

  noun
    .command("cancel <id>")
    .description("call a command off; a finished one stays as it is")
    .action((id: string) =>
      withDoor(run, async (door) => {
        const response = await door.fleet.cancelCommand({ id }, { signal: run.signal });
        answer(run, CancelCommandResponseSchema, response, () => describeCommand(response.command));
      }),
    );
}

function describeCommand(one: FleetCommand | undefined): string {
  if (!one?.command) return "";
  return sheet([
    ["id", one.command.id],
    ["what", one.command.request.case ?? "unknown"],
    ["workload", workloadOf(one.command) ?? ""],
    ["node", one.nodeId],
    ["by", one.command.actor],
    ["state", word(CommandState, one.state)],
    ["queued", moment(one.queuedAt)],
    ["expires", moment(one.expiresAt)],
    ["finished", moment(one.result?.finishedAt)],
    ["result", resultInWords(one)],
  ]);
}

function resultInWords({ result, resultDropped }: FleetCommand): string {
  if (result === undefined) return "";
  if (result.outcome.case === "failure") return result.outcome.value.message;
  const done = `done after ${formatDuration(result.tookMs)}`;
  return resultDropped ? `${done}; its answer is no longer kept` : done;
}
