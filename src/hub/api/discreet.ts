import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { FleetCommand } from "../../../gen/edge/v1/fleet_pb.ts";

/**
 * A command as it may be shown to who cannot send commands, and in lists: what went to a runtime's own interface, and came
 * from it, is left out. It holds that interface's passwords and tokens, and may be a megabyte each way.
 */
export function discreet(one: FleetCommand): FleetCommand {
  const { command, result } = one;
  if (command?.request.case !== "invokeRuntime") return one;
  return { ...one, command: askedDiscreetly(command), ...(result && { result: answeredDiscreetly(result) }) };
}

function askedDiscreetly(command: Command): Command {
  const { request } = command;
  if (request.case !== "invokeRuntime") return command;
  return { ...command, request: { ...request, value: { ...request.value, headers: [], body: nothing } } };
}

function answeredDiscreetly(result: Result): Result {
  const { outcome } = result;
  if (outcome.case !== "invokeRuntime") return result;
  return { ...result, outcome: { ...outcome, value: { ...outcome.value, headers: [], body: nothing } } };
}

const nothing = new Uint8Array();
