import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { evidence } from "../../base/evidence.ts";
import { invalidField } from "../../base/failure.ts";
import { newId } from "../../base/ids.ts";
import { type Capability, capabilities } from "../../wire/commands.ts";
import { metadata, toCommand, toResponse } from "../../wire/doors.ts";
import { maxBudgetMs } from "../../wire/limits.ts";
import { actorOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/** Serves every capability of a node as the plain RPC that it is in the contract. */
export function serveNodes(router: ConnectRouter, rooms: Rooms): void {
  for (const capability of capabilities) {
    const method = capability.method as DescMethodUnary; // `capabilities` holds no others.
    router.rpc(method, (request: Message, context: HandlerContext) =>
      carryOut(rooms, capability, request, context),
    );
  }
}

/**
 * A read is asked of the node now. Anything else becomes a command in the node's queue, whose result is waited for; a caller
 * that leaves, or whose time is over, does not call it off.
 */
async function carryOut(
  { fleet, commands, line }: Rooms,
  capability: Capability,
  request: Message,
  context: HandlerContext,
): Promise<Message> {
  const { requestHeader, responseHeader, signal } = context;
  const nodeId = nodeOf(requestHeader);
  fleet.mustHave(nodeId);
  const id = commandIdOf(requestHeader);
  const actor = actorOf(context);
  const command = toCommand(capability, request, { id, budgetMs: budgetMsOf(context), actor });
  if (capability.isRead) return toResponse(capability, await line.read(nodeId, command, signal));
  responseHeader.set(metadata.commandId, id);
  // What did not reach the node by the caller's deadline never will: nobody is surprised by it next week.
  await commands.submit(nodeId, command, { actor, expiresInMs: command.budgetMs });
  return toResponse(capability, await commands.result(id, signal));
}

/** The node that the caller means. */
function nodeOf(header: Headers): string {
  const id = header.get(metadata.node)?.trim() ?? "";
  if (id !== "") return id;
  throw invalidField(
    metadata.node,
    "is required as metadata (an HTTP header) that names the node; see `orchestrator node list`",
  );
}

/** The command's id: the caller's own, so that asking again is not doing again, or a new one. */
function commandIdOf(header: Headers): string {
  const id = header.get(metadata.commandId);
  if (id === null) return newId("cmd");
  if (/^[A-Za-z0-9_-]{1,64}$/.test(id)) return id;
  throw invalidField(metadata.commandId, `${evidence(id)} must be 1 to 64 letters, digits, '-' or '_'`);
}

/**
 * The caller's time as a budget; 0 when it set none. In whole seconds, because what is left of it when we look differs from
 * one try to the next, and the next try shall be the same command.
 */
export function budgetMsOf({ timeoutMs }: HandlerContext): number {
  const leftMs = timeoutMs();
  return leftMs === undefined ? 0 : Math.min(Math.max(1, Math.ceil(leftMs / 1000)) * 1000, maxBudgetMs);
}
