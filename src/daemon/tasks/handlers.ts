import { create } from "@bufbuild/protobuf";
import {
  CancelTaskResponseSchema,
  ExecuteTaskResponseSchema,
  GetTaskResponseSchema,
  ListTasksResponseSchema,
} from "../../../gen/edge/v1/tasks_pb.ts";
import type { CommandCase } from "../../wire/commands.ts";
import type { Handler } from "../work/index.ts";
import type { Tasks } from "./tasks.ts";

/** A handler of this room. What it promises is said at the method of `edge.v1.Tasks`. */
type Handles<C extends CommandCase> = Handler<{ tasks: Tasks }, C>;

export const executeTask: Handles<"executeTask"> = async ({ tasks }, request, ask) =>
  create(ExecuteTaskResponseSchema, await tasks.execute(request, ask));

export const getTask: Handles<"getTask"> = async ({ tasks }, request) =>
  create(GetTaskResponseSchema, tasks.get(request));

export const listTasks: Handles<"listTasks"> = async ({ tasks }, request) =>
  create(ListTasksResponseSchema, { tasks: tasks.list(request) });

export const cancelTask: Handles<"cancelTask"> = async ({ tasks }, { id, reason }, { signal }) =>
  create(CancelTaskResponseSchema, await tasks.cancel(id, reason, signal));

export const getTaskLogs: Handles<"getTaskLogs"> = async ({ tasks }, request, { signal }) =>
  await tasks.logs(request, signal);
