import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Fleet, FleetCommand } from "../../../gen/edge/v1/fleet_pb.ts";
import { invalidField } from "../../base/failure.ts";
import { capabilityOf } from "../../wire/commands.ts";
import { traceparent } from "../../wire/tracing.ts";
import { allows } from "../operators/index.ts";
import { notAllowed, roleOf } from "./access.ts";
import { actorOf, callerOf } from "./caller.ts";
import { discreet } from "./discreet.ts";
import type { Rooms } from "./rooms.ts";

type CommandMethod = "submitCommand" | "getCommand" | "listCommands" | "cancelCommand" | "watchCommand";

/** The part of Fleet that is about commands and their queues. */
export function commandMethods({ commands }: Rooms): Pick<ServiceImpl<typeof Fleet>, CommandMethod> {
  return {
    async submitCommand({ nodeId, command, expiresInMs }, context) {
      if (!command) throw invalidField("command", "is required");
      const capability = capabilityOf(command);
      const [caller, needed] = [callerOf(context), capability ? roleOf(capability) : "operator"];
      if (!allows(caller.role, needed)) throw notAllowed(capability?.method.name ?? "it", needed, caller);
      const options = { actor: actorOf(context), expiresInMs: Number(expiresInMs) };
      const traced = { ...command, traceparent: command.traceparent || traceparent() };
      return { command: await commands.submit(nodeId, traced, options) };
    },

    async getCommand({ id }, context) {
      return { command: shown(await commands.get(id), context) };
    },

    async listCommands({ nodeId, pendingOnly, limit }) {
      return { commands: (await commands.list(nodeId, { pendingOnly, limit })).map(discreet) };
    },

    async cancelCommand({ id }) {
      return { command: await commands.cancel(id) };
    },

    async *watchCommand({ id }, context) {
      for await (const news of commands.watch(id, context.signal)) {
        yield { ...news, command: shown(news.command, context) };
      }
    },
  };
}

/** A command as its reader may see it: whole for those who may send one. */
function shown(command: FleetCommand, context: HandlerContext): FleetCommand {
  return allows(callerOf(context).role, "operator") ? command : discreet(command);
}
