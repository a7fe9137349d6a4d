import { create } from "@bufbuild/protobuf";
import {
  CreateRuntimeResponseSchema,
  DeleteRuntimeResponseSchema,
  GetRuntimeLogsResponseSchema,
  GetRuntimeResponseSchema,
  GetRuntimeStatsResponseSchema,
  ListRuntimesResponseSchema,
  LockRuntimeResponseSchema,
  RestartRuntimeResponseSchema,
  StartRuntimeResponseSchema,
  StopRuntimeResponseSchema,
  UnlockRuntimeResponseSchema,
  UpdateRuntimeResponseSchema,
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

export const stopRuntime: Handles<"stopRuntime"> = async ({ runtimes }, { name, ...override }, ask) =>
  create(StopRuntimeResponseSchema, { runtime: await runtimes.stop(name, ask, override) });

export const restartRuntime: Handles<"restartRuntime"> = async ({ runtimes }, { name, ...override }, ask) =>
  create(RestartRuntimeResponseSchema, { runtime: await runtimes.restart(name, ask, override) });

export const lockRuntime: Handles<"lockRuntime"> = async ({ runtimes }, { name, reason, forMs }, ask) => {
  const runtime = await runtimes.lock(name, { reason, forMs: Number(forMs) }, ask);
  return create(LockRuntimeResponseSchema, { runtime });
};

export const unlockRuntime: Handles<"unlockRuntime"> = async ({ runtimes }, { name }, ask) =>
  create(UnlockRuntimeResponseSchema, { runtime: await runtimes.unlock(name, ask) });

export const getRuntimeLogs: Handles<"getRuntimeLogs"> = async ({ runtimes }, request, { signal }) =>
  create(GetRuntimeLogsResponseSchema, await runtimes.logs(request, signal));

export const getRuntimeStats: Handles<"getRuntimeStats"> = async ({ runtimes }, { names }, { signal }) =>
  create(GetRuntimeStatsResponseSchema, { runtimes: await runtimes.statsNow(names, signal) });

export const deleteRuntime: Handles<"deleteRuntime"> = async ({ runtimes }, { name, ...how }, ask) => {
  const removed = await runtimes.delete(name, how, ask);
  return create(DeleteRuntimeResponseSchema, { removed: [...removed] });
};

export const updateRuntime: Handles<"updateRuntime"> = async ({ runtimes }, { spec, ...how }, ask) => {
  if (!spec) throw invalidField("spec", "is required");
  return create(UpdateRuntimeResponseSchema, await runtimes.update(spec, how, ask));
};
