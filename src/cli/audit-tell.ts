import {
  type AuditCheckpoint,
  type AuditEntry,
  AuditKind,
  type VerifyAuditResponse,
} from "../../gen/edge/v1/audit_pb.ts";
import { type Caller, Door } from "../../gen/edge/v1/policy_pb.ts";
import { moment, word } from "./answer.ts";
import { printable, rows } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Entries of the trail, a line each. */
export function tableOfAudit(
  entries: readonly AuditEntry[],
  look: Pick<Terminal, "columns" | "style">,
): string {
  return rows(
    look,
    ["ENTRY", "WHEN", "KIND", "BY", "WHAT", "ABOUT", "OUTCOME", "DETAIL"],
    entries.map(({ sequence, at, kind, caller, action, subject, outcome, detail }) => [
      ...[String(sequence), moment(at), word(AuditKind, kind), caller ? inWords(caller) : "node"],
      ...[action, subject, outcome, detail],
    ]),
    "the trail holds no such entry",
  );
}

/** `alice at the hub` */
function inWords({ door, actor, agent }: Caller): string {
  const who = actor || (agent === "" ? "" : `agent/${agent}`);
  return door === Door.UNSPECIFIED ? who : `${who || "somebody"}@${word(Door, door)}`;
}

/** What a check found; `handedIn` is how many checkpoints of the hub were checked with it. */
export function tellVerified(
  { intact, entries, faults, head }: VerifyAuditResponse,
  handedIn: number,
): string {
  const by =
    handedIn === 0
      ? ""
      : `, and with ${handedIn} ${handedIn === 1 ? "checkpoint" : "checkpoints"} that the hub keeps`;
  if (intact) return `${entries} entries are as they were written${by}\n${signed(head)}`;
  const lines = faults.map(({ sequence, problem }) => `${printable(`  entry ${sequence}: ${problem}`)}\n`);
  return [`the audit trail is NOT as it was written (${entries} entries${by}):\n`, ...lines].join("");
}

function signed(head: AuditCheckpoint | undefined): string {
  if (!head) return "nothing of it is signed yet: a node signs when it is enrolled\n";
  return `signed up to entry ${head.sequence} at ${moment(head.at)}, with the key ${head.keySha256.slice(0, 16)}...\n`;
}
