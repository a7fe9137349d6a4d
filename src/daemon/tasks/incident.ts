import { create } from "@bufbuild/protobuf";
import { SandboxIncidentSchema } from "../../../gen/edge/v1/events_pb.ts";
import type { Journal } from "../journal/index.ts";
import type { CellIncident } from "../sandbox/index.ts";

/** Tells of something that a program met, or tried and may not. The task is empty for one that waits for a task. */
export function recordIncident(
  journal: Pick<Journal, "record">,
  { agent, taskId }: { agent: string; taskId: string },
  { kind, count, reason = "it met a limit of its agent" }: CellIncident,
): void {
  const value = create(SandboxIncidentSchema, { agent, taskId, kind, count: BigInt(count) });
  journal.record({ case: "sandboxIncident", value }, { reason });
}
