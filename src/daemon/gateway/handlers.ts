import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { GetLlmUsageResponseSchema, ListModelsResponseSchema } from "../../../gen/edge/v1/gateway_pb.ts";
import type { Handler } from "../work/index.ts";
import type { Gateway } from "./gateway.ts";

/** What each promises is said at the methods of `edge.v1.Gateway`. */
export const listModels: Handler<{ gateway: Gateway }, "listModels"> = ({ gateway }) =>
  Promise.resolve(create(ListModelsResponseSchema, { models: gateway.models() }));

export const getLlmUsage: Handler<{ gateway: Gateway }, "getLlmUsage"> = ({ gateway }, { agent, since }) => {
  const sinceMs = since ? timestampMs(since) : 0;
  return Promise.resolve(create(GetLlmUsageResponseSchema, { usage: gateway.usage({ agent, sinceMs }) }));
};
