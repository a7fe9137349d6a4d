import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  ForgetMemoryResponseSchema,
  ListMemoryGroupsResponseSchema,
  type Memory,
  StoreMemoryResponseSchema,
} from "../../../gen/edge/v1/memory_pb.ts";
import {
  AppendMessagesResponseSchema,
  CloseSessionResponseSchema,
  CreateSessionResponseSchema,
  DeleteSessionResponseSchema,
  GetSessionResponseSchema,
  ListSessionsResponseSchema,
  type Sessions,
} from "../../../gen/edge/v1/sessions_pb.ts";
import { newId } from "../../base/ids.ts";
import type { TaskAsker } from "./asker.ts";
import { guarded } from "./guarded.ts";
import type { Room } from "./room.ts";

/** Sessions, of which each agent sees its own. */
export function sessionsOf(room: Room): ServiceImpl<typeof Sessions> {
  return {
    createSession: guarded(room, ({ sessions }, request, asker) =>
      create(CreateSessionResponseSchema, {
        session: sessions.create(who(asker), request, newId("session")),
      }),
    ),
    getSession: guarded(room, ({ sessions }, request, asker) =>
      create(GetSessionResponseSchema, sessions.get(who(asker), request)),
    ),
    listSessions: guarded(room, ({ sessions }, request, asker) =>
      create(ListSessionsResponseSchema, { sessions: sessions.list(who(asker), request) }),
    ),
    appendMessages: guarded(room, ({ sessions }, request, asker) =>
      create(AppendMessagesResponseSchema, {
        session: sessions.append(who(asker), request, newId("append")),
      }),
    ),
    closeSession: guarded(room, ({ sessions }, request, asker) =>
      create(CloseSessionResponseSchema, { session: sessions.close(who(asker), request, newId("close")) }),
    ),
    deleteSession: guarded(room, ({ sessions }, { id }, asker) => {
      sessions.delete(who(asker), id);
      return create(DeleteSessionResponseSchema);
    }),
  };
}

/** Memory, of which each agent uses its own group, and those that its manifest names. */
export function memoryOf(room: Room): ServiceImpl<typeof Memory> {
  return {
    storeMemory: guarded(room, async ({ memory }, request, asker, signal) =>
      create(StoreMemoryResponseSchema, {
        entry: await memory.store(remembering(asker), request, newId("memory"), signal),
      }),
    ),
    searchMemory: guarded(room, ({ memory }, request, asker, signal) =>
      memory.search(remembering(asker), request, signal),
    ),
    forgetMemory: guarded(room, ({ memory }, request, asker) =>
      create(ForgetMemoryResponseSchema, { forgotten: memory.forget(remembering(asker), request) }),
    ),
    listMemoryGroups: guarded(room, ({ memory }, _, asker) =>
      create(ListMemoryGroupsResponseSchema, { groups: memory.groups(remembering(asker)) }),
    ),
  };
}

function who({ cell, task }: TaskAsker) {
  return { is: "agent" as const, name: cell.agent, taskId: task.id };
}

function remembering(asker: TaskAsker) {
  return { ...who(asker), memoryGroups: asker.spec.rights?.memoryGroups ?? [] };
}
