import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { Command as CommandMessage } from "../../gen/edge/v1/command_pb.ts";
import { SubmitCommandResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import type { CommandCase, RequestOf, ResponseOf } from "../wire/commands.ts";
import { answer } from "./answer.ts";
import { carryOut, type Outcome } from "./carry-out.ts";
import { capabilityNamed, type Door } from "./door.ts";
import type { Run } from "./run.ts";
import type { Target } from "./target.ts";

/** The flag of every verb that changes something. */
export interface WaitFlag {
  wait: boolean;
}

/** Gives a verb the flags that say whether its result is waited for. */
export function waiting(command: Command): Command {
  return command
    .option("--wait", "wait for the result (the default)", true)
    .option("--no-wait", "put the command into the node's queue and print its id");
}

/** Carries a changing command out and prints its response, or the id of the command that was left in the queue. */
export async function change<C extends CommandCase>(...args: Parameters<typeof changed<C>>): Promise<void> {
  await changed(...args);
}

/** The same, for who looks at the response, too. */
export async function changed<C extends CommandCase>(
  run: Run,
  door: Door,
  target: Target,
  name: C,
  request: Omit<RequestOf<C>, "$typeName" | "$unknown">,
  wait: boolean,
  tell: (response: ResponseOf<C>) => string,
): Promise<Outcome<C>> {
  const outcome = await carryOut(run, door, target, name, request, { wait });
  if (outcome.is === "submitted") tellSubmitted(run, target, outcome.command);
  else answer(run, capabilityNamed(name).method.output, outcome.response, () => tell(outcome.response));
  return outcome;
}

/** Prints the id of a command that was left in a node's queue. */
export function tellSubmitted(run: Run, target: Target, command: CommandMessage): void {
  const submitted = create(SubmitCommandResponseSchema, { command: { command, nodeId: target?.id ?? "" } });
  answer(run, SubmitCommandResponseSchema, submitted, () => `${command.id}\n`);
}
