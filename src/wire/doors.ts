import { create, type Message } from "@bufbuild/protobuf";
import { type Command, CommandSchema, type Result } from "../../gen/edge/v1/command_pb.ts";
import { failure } from "../base/failure.ts";
import type { Capability } from "./commands.ts";
import { fromFailureMessage } from "./failures.ts";
import { traceparent } from "./tracing.ts";

/** Metadata of a plain RPC that is a command to a node. */
export const metadata = {
  /** The node that is meant; at the hub's door only. */
  node: "edge-node",
  /** The command's id, so that a caller who asks again is not carried out twice. Sent back with every answer. */
  commandId: "edge-command-id",
} as const;

/** The command that a plain RPC is. `request` is the method's input. */
export function toCommand(
  capability: Capability,
  request: Message,
  about: { id: string; budgetMs: number; actor: string },
): Command {
  // The case and its message belong together: the capability was made from the method's descriptor.
  const asked = { case: capability.case, value: request } as unknown as Command["request"];
  return create(CommandSchema, { ...about, traceparent: traceparent(), request: asked });
}

/** The method's output, as a result tells it. @throws {Failure} the command's own. */
export function toResponse(capability: Capability, { outcome }: Result): Message {
  if (outcome.case === "failure") throw fromFailureMessage(outcome.value);
  if (outcome.case === capability.case) return outcome.value;
  throw failure(
    "unsupported",
    `the node answered ${capability.method.name} with something that this program does not know: update the older side`,
  );
}
