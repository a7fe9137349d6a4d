import { create, type Message } from "@bufbuild/protobuf";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { CallerSchema, Door } from "../../../gen/edge/v1/policy_pb.ts";
import { newId } from "../../base/ids.ts";
import { type Capability, capabilities, nodeServices } from "../../wire/commands.ts";
import { metadata as keys, toCommand, toResponse } from "../../wire/doors.ts";
import { type CallContext, unaryHandler } from "../../wire/grpc.ts";
import { HealthBoard } from "../../wire/health.ts";
import { maxBudgetMs } from "../../wire/limits.ts";
import { openSocketServer } from "../../wire/socket-server.ts";
import type { Work } from "../work/index.ts";

export interface LocalDoorOptions {
  /** Where the socket is made. */
  path: string;
  work: Work;
}

/** Who owns the socket and its group may ask for anything; nobody else can connect. */
const socketMode = 0o660;

/**
 * Opens the door. Health says that the daemon serves and never depends on the hub or the engine: a container's health check
 * must not restart a daemon for what it cannot help.
 * @throws {Failure} as `openSocketServer` does.
 */
export function openLocalDoor({ path, work }: LocalDoorOptions): Promise<AsyncDisposable> {
  return openSocketServer({
    path,
    mode: socketMode,
    services: nodeServices.map((service) => ({
      service,
      methods: Object.fromEntries(
        capabilities
          .filter(({ method }) => method.parent === service)
          .map((capability) => [capability.method.localName, handlerOf(capability, work)]),
      ),
    })),
    health: new HealthBoard(nodeServices.map(({ typeName }) => typeName)),
  });
}

/** Of a caller's deadline, the part that is left for the answer to reach it: what failed is worth more than that it is late. */
const answerMs = 250;

function budgetOf(remainingMs: number): number {
  return Math.min(maxBudgetMs, Math.round(Math.max(remainingMs - answerMs, remainingMs / 2)));
}

/** Whoever can connect: the socket's mode says who that is. */
const caller = create(CallerSchema, { door: Door.LOCAL, actor: "local" });

/** A caller's deadline is the command's budget; a caller that leaves ends its waiting, not the command. */
function handlerOf(capability: Capability, work: Work): handleUnaryCall<Message, Message> {
  return unaryHandler(async (request: Message, { metadata, signal, remainingMs = 0 }: CallContext) => {
    const [named] = metadata.get(keys.commandId);
    const command = toCommand(capability, request, {
      id: named === undefined ? newId("local") : String(named),
      budgetMs: budgetOf(remainingMs),
      actor: caller.actor,
    });
    const ask = [command, caller, signal] as const;
    const result = await (capability.isRead ? work.read(...ask) : work.call(...ask));
    return toResponse(capability, result);
  });
}
