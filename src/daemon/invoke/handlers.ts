import { create } from "@bufbuild/protobuf";
import { InvokeRuntimeResponseSchema } from "../../../gen/edge/v1/invoke_pb.ts";
import type { Handler } from "../work/index.ts";
import type { Invoke } from "./invoke.ts";

/** What it promises is said at the method of `edge.v1.Invoke`. */
export const invokeRuntime: Handler<{ invoke: Invoke }, "invokeRuntime"> = async ({ invoke }, request, ask) =>
  create(InvokeRuntimeResponseSchema, await invoke.send(request, ask));
