import { create } from "@bufbuild/protobuf";
import {
  ForgetMemoryResponseSchema,
  ListMemoryGroupsResponseSchema,
  StoreMemoryResponseSchema,
} from "../../../gen/edge/v1/memory_pb.ts";
import type { Handler } from "../work/index.ts";
import type { Memory } from "./memory.ts";
import type { Who } from "./who.ts";

/** The handlers of commands. What each promises is said at the methods of `edge.v1.Memory`. */
interface Rooms {
  memory: Memory;
}

const operator: Who = { is: "operator" };

export const storeMemory: Handler<Rooms, "storeMemory"> = async ({ memory }, request, { id, signal }) =>
  create(StoreMemoryResponseSchema, { entry: await memory.store(operator, request, id, signal) });

export const searchMemory: Handler<Rooms, "searchMemory"> = ({ memory }, request, { signal }) =>
  memory.search(operator, request, signal);

export const forgetMemory: Handler<Rooms, "forgetMemory"> = async ({ memory }, request) =>
  create(ForgetMemoryResponseSchema, { forgotten: memory.forget(operator, request) });

export const listMemoryGroups: Handler<Rooms, "listMemoryGroups"> = async ({ memory }) =>
  create(ListMemoryGroupsResponseSchema, { groups: memory.groups(operator) });
