import type Docker from "dockerode";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import type { FieldViolation } from "../../base/failure.ts";

/** GPUs by number and by name at once, and one that is named twice. */
export function wrongGpus({ gpus }: RuntimeSpec): FieldViolation[] {
  if (!gpus) return [];
  const { count, ids } = gpus;
  const both = {
    field: "spec.gpus.count",
    message: "does not go with spec.gpus.ids: say how many, or which",
  };
  const twice = ids.flatMap((id, index) => {
    const before = ids.indexOf(id);
    const field = `spec.gpus.ids[${index}]`;
    return before < index ? [{ field, message: `${evidence(id)} is already spec.gpus.ids[${before}]` }] : [];
  });
  return [...(count > 0 && ids.length > 0 ? [both] : []), ...twice];
}

/** GPUs as the engine is asked for them: whoever answers to the word gpu gives them out. */
export function gpuRequestsOf({ gpus }: RuntimeSpec): Pick<Docker.HostConfig, "DeviceRequests"> {
  if (!gpus) return {};
  const { count, ids, capabilities } = gpus;
  const which = ids.length > 0 ? { DeviceIDs: [...ids] } : { Count: count || -1 };
  return { DeviceRequests: [{ ...which, Capabilities: [["gpu", ...capabilities]] }] };
}
