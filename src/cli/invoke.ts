import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { InvokeRuntimeRequestSchema, type InvokeRuntimeResponse } from "../../gen/edge/v1/invoke_pb.ts";
import { failure } from "../base/failure.ts";
import { newId } from "../base/ids.ts";
import { validate } from "../wire/validation.ts";
import type { Door } from "./door.ts";
import type { Run } from "./run.ts";
import type { Target } from "./target.ts";

/** The node's own time for a request when `--timeout` does not say, and the most that it takes, in milliseconds. */
const timeoutsMs = { default: 30_000, most: 600_000 };
/** What a request's way to the node and back may take beside its time at the runtime, in milliseconds. */
const wayMs = 15_000;

/**
 * Sends one HTTP request to a runtime. It is asked now or not at all: a request that reaches a runtime next morning surprises
 * somebody. @throws {Failure} unavailable: the node is away, or nobody answered.
 */
export async function invoke(
  { flags }: Run,
  door: Door,
  target: Target,
  asks: Exclude<MessageInitShape<typeof InvokeRuntimeRequestSchema>, { $typeName: string }>,
): Promise<InvokeRuntimeResponse> {
  if (target && !target.connected) {
    throw failure("unavailable", `node ${target.id} is away: ask again when it is back`);
  }
  const timeoutMs = Math.min(flags.timeout ?? timeoutsMs.default, timeoutsMs.most);
  const request = create(InvokeRuntimeRequestSchema, { timeoutMs, ...asks });
  validate(InvokeRuntimeRequestSchema, request); // The same rules as at the node, before anything travels.
  const options = { nodeId: target?.id, commandId: newId("cmd"), timeoutMs: request.timeoutMs + wayMs };
  return await door.ask("invokeRuntime", request, options);
}
