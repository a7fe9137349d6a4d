import { create } from "@bufbuild/protobuf";
import {
  AppendMessagesResponseSchema,
  CloseSessionResponseSchema,
  CreateSessionResponseSchema,
  DeleteSessionResponseSchema,
  GetSessionResponseSchema,
  ListSessionsResponseSchema,
} from "../../../gen/edge/v1/sessions_pb.ts";
import type { Ask, Handler } from "../work/index.ts";
import type { Sessions } from "./sessions.ts";
import type { Who } from "./who.ts";

/** The handlers of commands. What each promises is said at the methods of `edge.v1.Sessions`. */
interface Rooms {
  sessions: Sessions;
}

const asker = ({ actor }: Ask): Who => ({ is: "operator", actor });

export const createSession: Handler<Rooms, "createSession"> = async ({ sessions }, request, ask) =>
  create(CreateSessionResponseSchema, { session: sessions.create(asker(ask), request, ask.id) });

export const getSession: Handler<Rooms, "getSession"> = async ({ sessions }, request, ask) =>
  create(GetSessionResponseSchema, sessions.get(asker(ask), request));

export const listSessions: Handler<Rooms, "listSessions"> = async ({ sessions }, request, ask) =>
  create(ListSessionsResponseSchema, { sessions: sessions.list(asker(ask), request) });

export const appendMessages: Handler<Rooms, "appendMessages"> = async ({ sessions }, request, ask) =>
  create(AppendMessagesResponseSchema, { session: sessions.append(asker(ask), request, ask.id) });

export const closeSession: Handler<Rooms, "closeSession"> = async ({ sessions }, request, ask) =>
  create(CloseSessionResponseSchema, { session: sessions.close(asker(ask), request, ask.id) });

export const deleteSession: Handler<Rooms, "deleteSession"> = async ({ sessions }, { id }, ask) => {
  sessions.delete(asker(ask), id);
  return create(DeleteSessionResponseSchema);
};
