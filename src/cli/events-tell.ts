import {
  CertificateChangeKind,
  type Event,
  IdentityChangeKind,
  RuntimeChangeKind,
} from "../../gen/edge/v1/events_pb.ts";
import { LeftWorkloads } from "../../gen/edge/v1/node_pb.ts";
import { taskOfEvent } from "../wire/events.ts";
import { moment, word } from "./answer.ts";
import { daemonUpdateInWords } from "./daemon-update-tell.ts";
import { deviceChangeInWords } from "./device-tell.ts";
import { agentFactOf, isWholeStory } from "./events-agents-tell.ts";
import { printable } from "./table.ts";
import { vnicChangeInWords } from "./vnic-change-tell.ts";

/** What happened, on a line: when, where if that is not known anyway, what, why, by which command and whose. */
export function eventLine(event: Event, { where = "", actor = "" } = {}): string {
  const isTold = event.fact.case === "daemonStarted" || isWholeStory(event.fact);
  const reason = event.reason === "" || isTold ? "" : `: ${event.reason}`;
  // A task that a command asked for has the command's id.
  const command = event.commandId === taskOfEvent(event) ? "" : event.commandId;
  const asked = [command, actor].filter((one) => one !== "");
  const by = asked.length === 0 ? "" : ` (${asked.join(", ")})`;
  const at = where === "" ? "" : `${where}  `;
  return `${moment(event.at)}  ${printable(`${at}${factOf(event)}${reason}${by}`)}\n`;
}

function factOf({ fact }: Event): string {
  switch (fact.case) {
    case "runtime": {
      const { name, kind, exitCode, outOfMemory } = fact.value;
      const code = exitCode === undefined ? "" : ` with exit code ${exitCode}`;
      return `runtime ${name} ${word(RuntimeChangeKind, kind)}${code}${outOfMemory ? ", out of memory" : ""}`;
    }
    case "vnic":
      return vnicChangeInWords(fact.value);
    case "certificate": {
      const { runtime, port, kind, sha256 } = fact.value;
      return `certificate of runtime ${runtime}, port ${port}, ${word(CertificateChangeKind, kind)}: ${sha256}`;
    }
    case "identity": {
      const { kind, serial, expiresAt } = fact.value;
      return `certificate of the node, ${word(IdentityChangeKind, kind)}: ${serial} is good until ${moment(expiresAt)}`;
    }
    case "device":
      return deviceChangeInWords(fact.value);
    case "decommissioned":
      return fact.value.workloads === LeftWorkloads.PURGE
        ? "node was taken out of service, and its workloads were removed"
        : "node was taken out of service, and its workloads go on";
    case "daemonUpdate":
      return daemonUpdateInWords(fact.value);
    case "daemonStarted":
      return `daemon ${fact.value.version} started`;
    case "engine":
      return fact.value.reachable ? "engine is back" : "engine is lost";
    case "gap":
      return `gap: ${fact.value.count} entries of the journal were dropped`;
    case "stateSetAside":
      return `state file ${fact.value.path} was set aside as ${fact.value.movedTo}`;
    default:
      return agentFactOf(fact) ?? "something that this version does not know: update orchestrator";
  }
}
