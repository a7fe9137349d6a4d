import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { type Event, SandboxIncidentKind } from "../../../gen/edge/v1/events_pb.ts";
import { TaskState } from "../../../gen/edge/v1/tasks_pb.ts";
import type { AuditRecord } from "./recorder.ts";

/** How the states of a task that the trail tells of came out. */
const outcomes: Readonly<Partial<Record<TaskState, string>>> = {
  [TaskState.RUNNING]: "allowed",
  [TaskState.SUCCEEDED]: "ok",
  [TaskState.FAILED]: "failed",
  [TaskState.CANCELLED]: "cancelled",
  [TaskState.TIMED_OUT]: "deadline",
};

/**
 * What of an event belongs into the trail: that a task began or ended, and that a program met a limit. Other rooms note what
 * they do with its caller themselves. Undefined for the rest.
 */
export function entryOfFact({ fact, reason, commandId }: Event): AuditRecord | undefined {
  if (fact.case === "task") {
    const { id, agent, state } = fact.value;
    const outcome = outcomes[state];
    if (outcome === undefined) return undefined;
    const about = { commandId, action: state === TaskState.RUNNING ? "begin_task" : "end_task" };
    return { kind: AuditKind.TASK, ...about, subject: `agent/${agent}`, outcome, detail: `${id}: ${reason}` };
  }
  if (fact.case === "sandboxIncident") {
    const { agent, taskId, kind } = fact.value;
    const action = (
      Object.entries(SandboxIncidentKind).find(([, one]) => one === kind)?.[0] ?? "unknown"
    ).toLowerCase();
    const detail = taskId === "" ? reason : `${taskId}: ${reason}`;
    return { kind: AuditKind.INCIDENT, action, subject: `agent/${agent}`, outcome: "denied", detail };
  }
  return undefined;
}
