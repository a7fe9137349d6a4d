import { create } from "@bufbuild/protobuf";
import {
  CreateRuntimeResponseSchema,
  DeleteRuntimeResponseSchema,
  GetRuntimeLogsResponseSchema,
  GetRuntimeResponseSchema,
  GetRuntimeStatsResponseSchema,
  ListRuntimesResponseSchema,
  RestartRuntimeResponseSchema,
  StartRuntimeResponseSchema,
  StopRuntimeResponseSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { invalidField } from "../../base/failure.ts";
import type { CommandCase } from "../../wire/commands.ts";
import type { Handler } from "../work/index.ts";
import type { Runtimes } from "./runtimes.ts";

/** A handler of this room. What it promises is said at the method of `edge.v1.Runtimes`. */
type Handles<C extends CommandCase> = Handler<{ runtimes: Runtimes }, C>;

export const createRuntime: Handles<"createRuntime"> = async ({ runtimes }, { spec }, ask) => {
  if (!spec) throw invalidField("spec", "is required");
  return create(CreateRuntimeResponseSchema, await runtimes.create(spec, ask));
};

export const getRuntime: Handles<"getRuntime"> = async ({ runtimes }, { name }, { signal }) =>
  create(GetRuntimeResponseSchema, { runtime: await runtimes.get(name, signal) });

export const listRuntimes: Handles<"listRuntimes"> = async ({ runtimes }, _request, { signal }) =>
  create(ListRuntimesResponseSchema, { runtimes: await runtimes.list(signal) });

export const startRuntime: Handles<"startRuntime"> = async ({ runtimes }, { name }, ask) =>
  create(StartRuntimeResponseSchema, { runtime: await runtimes.start(name, ask) });

export const stopRuntime: Handles<"stopRuntime"> = async ({ runtimes }, { name }, ask) =>
  create(StopRuntimeResponseSchema, { runtime: await runtimes.stop(name, ask) });

export const restartRuntime: Handles<"restartRuntime"> = async ({ runtimes }, { name }, ask) =>
  create(RestartRuntimeResponseSchema, { runtime: await runtimes.restart(name, ask) });

export const getRuntimeLogs: Handles<"getRuntimeLogs"> = async ({ runtimes }, request, { signal }) =>
  create(GetRuntimeLogsResponseSchema, await runtimes.logs(request, signal));

export const getRuntimeStats: Handles<"getRuntimeStats"> = async ({ runtimes }, { names }, { signal }) =>
  create(GetRuntimeStatsResponseSchema, { runtimes: await runtimes.statsNow(names, signal) });

export const deleteRuntime: Handles<"deleteRuntime"> = async ({ runtimes }, { name, keepVolume }, ask) => {
  const removed = await runtimes.delete(name, { keepVolume }, ask);
  return create(DeleteRuntimeResponseSchema, { removed: [...removed] });
};
