import type { Event } from "../../gen/edge/v1/events_pb.ts";

/** The runtime that an event is about, as `ListEventsRequest.runtime` means it; undefined when it is about none. */
export function runtimeOfEvent({ fact }: Event): string | undefined {
  switch (fact.case) {
    case "runtime":
      return fact.value.name;
    case "vnic":
    case "certificate":
    case "device":
      return fact.value.runtime;
    case "policyDenied":
      return subjectNamed("runtime", fact.value.subject);
    default:
      return undefined;
  }
}

/** The agent that an event is about, as `ListEventsRequest.agent` means it; undefined when it is about none. */
export function agentOfEvent({ fact }: Event): string | undefined {
  switch (fact.case) {
    case "agent":
      return fact.value.name;
    case "task":
    case "egressDenied":
    case "sandboxIncident":
    case "session":
      return fact.value.agent;
    case "policyDenied":
      return fact.value.caller?.agent || subjectNamed("agent", fact.value.subject);
    case "messagesDropped":
      return subjectNamed("agent", fact.value.subscriber);
    default:
      return undefined;
  }
}

/** The task that an event is about; undefined when it is about none. */
export function taskOfEvent({ fact }: Event): string | undefined {
  switch (fact.case) {
    case "task":
      return fact.value.id;
    case "egressDenied":
    case "sandboxIncident":
      return fact.value.taskId || undefined;
    case "policyDenied":
      return fact.value.caller?.taskId || subjectNamed("task", fact.value.subject);
    default:
      return undefined;
  }
}

/** The name in `agent/poet`, when it is one of this noun. */
function subjectNamed(noun: string, subject: string): string | undefined {
  const [is, name = ""] = subject.split("/");
  return is === noun && name !== "" ? name : undefined;
}
