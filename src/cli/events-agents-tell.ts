import {
  AgentChangeKind,
  type ConfigurationChange,
  CredentialChangeKind,
  type Event,
  type PolicyDenied,
  SandboxIncidentKind,
  type TaskChange,
} from "../../gen/edge/v1/events_pb.ts";
import { SessionState } from "../../gen/edge/v1/sessions_pb.ts";
import { TaskState } from "../../gen/edge/v1/tasks_pb.ts";
import { word } from "./answer.ts";

/** Whether a fact is the whole story, so that its reason would only say it again. */
export function isWholeStory(fact: Event["fact"]): boolean {
  if (fact.case === "agent") return fact.value.kind !== AgentChangeKind.RUNS_MISSED;
  return fact.case === "auditCheckpoint";
}

/** What happened to agents and all that serves them, in words; undefined for any other fact. */
export function agentFactOf(fact: Event["fact"]): string | undefined {
  switch (fact.case) {
    case "task":
      return taskChange(fact.value);
    case "agent": {
      const { name, kind, version } = fact.value;
      const now = version === 0 ? "" : `, and version ${version} is the current one`;
      return `agent ${name} ${agentWords[kind] ?? "changed"}${now}`;
    }
    case "egressDenied": {
      const { agent, taskId, destination, port, protocol, count } = fact.value;
      const where = port === 0 ? destination : `${destination}:${port}`;
      return `${who(agent, taskId)} was not let out to ${where} (${protocol})${times(count)}`;
    }
    case "sandboxIncident": {
      const { agent, taskId, kind, count } = fact.value;
      return `${who(agent, taskId)} ${incidentWords[kind] ?? "met a limit"}${times(count)}`;
    }
    case "policyDenied":
      return policyDenied(fact.value);
    case "configuration":
      return configurationChange(fact.value);
    case "credential": {
      const { name, kind, revision } = fact.value;
      if (kind === CredentialChangeKind.VAULT_KEY) return "vault got another key";
      const which = revision === 0 ? "" : `, revision ${revision}`;
      return `credential ${name} ${credentialWords[kind] ?? "changed"}${which}`;
    }
    case "auditCheckpoint":
      return `audit trail was signed up to entry ${fact.value.sequence}`;
    case "messagesDropped": {
      const { subscriber, count } = fact.value;
      return `${subscriber} is too slow: ${count} messages for it were dropped`;
    }
    case "session": {
      const { id, agent, state } = fact.value;
      return `session ${id} of agent ${agent} ${word(SessionState, state)}`;
    }
    default:
      return undefined;
  }
}

const agentWords: Readonly<Partial<Record<AgentChangeKind, string>>> = {
  [AgentChangeKind.DEPLOYED]: "was deployed",
  [AgentChangeKind.ROLLED_BACK]: "was rolled back",
  [AgentChangeKind.REMOVED]: "was removed",
  [AgentChangeKind.RUNS_MISSED]: "missed times of its schedule",
};

const incidentWords: Readonly<Partial<Record<SandboxIncidentKind, string>>> = {
  [SandboxIncidentKind.OUT_OF_MEMORY]: "met its limit of memory",
  [SandboxIncidentKind.OUT_OF_PROCESSES]: "met its limit of processes",
  [SandboxIncidentKind.OUT_OF_DISK]: "met its limit of disk",
  [SandboxIncidentKind.OUT_OF_TIME]: "met its limit of time",
  [SandboxIncidentKind.OUT_OF_OUTPUT]: "answered more than it may, and the rest was dropped",
  [SandboxIncidentKind.SYSTEM_CALL]: "tried a system call that it may not make",
  [SandboxIncidentKind.BROKER_LIMIT]: "met a limit of its broker",
};

const credentialWords: Readonly<Partial<Record<CredentialChangeKind, string>>> = {
  [CredentialChangeKind.CREATED]: "was kept",
  [CredentialChangeKind.REPLACED]: "was replaced",
  [CredentialChangeKind.REMOVED]: "was removed",
  [CredentialChangeKind.EXPIRED]: "came to its end, and is lent no more",
};

/** How its program ended is in the reason. */
function taskChange({ id, agent, state, attempt }: TaskChange): string {
  const which = attempt > 1 ? `, attempt ${attempt}` : "";
  return `task ${id} of agent ${agent} ${word(TaskState, state)}${which}`;
}

function policyDenied({ caller, action, subject, denials }: PolicyDenied): string {
  const asked = caller?.actor || caller?.agent || "somebody";
  const rules = denials.map(({ rule }) => rule).join(", ");
  const about = subject === "" ? "" : ` for ${subject}`;
  return `policy denied ${asked} ${action}${about}${rules === "" ? "" : ` by ${rules}`}`;
}

function configurationChange({ what, applied, changed, needRestart, problem }: ConfigurationChange): string {
  if (!applied) return `${what} as it is now was refused, and what was before counts: ${problem}`;
  const keys = changed.length === 0 ? "" : ` (${changed.join(", ")})`;
  const later = needRestart.length === 0 ? "" : `; after a restart only: ${needRestart.join(", ")}`;
  return `${what} changed${keys}${later}`;
}

/** A sandbox that waits for a task has none yet. */
function who(agent: string, taskId: string): string {
  return taskId === "" ? `agent ${agent}` : `task ${taskId} of agent ${agent}`;
}

function times(count: bigint): string {
  return count > 1n ? `, ${count} times` : "";
}
