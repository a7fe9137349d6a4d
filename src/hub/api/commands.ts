import type { ServiceImpl } from "@connectrpc/connect";
import type { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { invalidField } from "../../base/failure.ts";
import { actorOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

type CommandMethod = "submitCommand" | "getCommand" | "listCommands" | "cancelCommand" | "watchCommand";

/** The part of Fleet that is about commands and their queues. */
export function commandMethods({ commands }: Rooms): Pick<ServiceImpl<typeof Fleet>, CommandMethod> {
  return {
    async submitCommand({ nodeId, command, expiresInMs }, context) {
      if (!command) throw invalidField("command", "is required");
      const options = { actor: actorOf(context), expiresInMs: Number(expiresInMs) };
      return { command: await commands.submit(nodeId, command, options) };
    },

    async getCommand({ id }) {
      return { command: await commands.get(id) };
    },

    async listCommands({ nodeId, pendingOnly, limit }) {
      return { commands: await commands.list(nodeId, { pendingOnly, limit }) };
    },

    async cancelCommand({ id }) {
      return { command: await commands.cancel(id) };
    },

    watchCommand: ({ id }, { signal }) => commands.watch(id, signal),
  };
}
