import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { asFailure } from "../../base/failure.ts";
import { commandNameOf, workloadOf } from "../../wire/commands.ts";
import { fromFailureMessage } from "../../wire/failures.ts";
import type { Recorder } from "../audit/index.ts";
import type { Guard } from "../work/index.ts";
import { deniedFailure } from "./denied.ts";
import type { Policy } from "./policy.ts";

/** Judges every command and every read by the policy, and has the audit trail tell all of them that change something. */
export function guardOf(policy: Pick<Policy, "judge" | "note">, audit: Recorder): Guard {
  return {
    judge(command, caller) {
      const name = commandNameOf(command);
      if (name === undefined) return { note() {} }; // Nobody carries out what nobody knows.
      const subject = workloadOf(command) ?? "";
      const asked = { command: name, request: command.request.value, subject };
      const denials = policy.judge(caller, asked);
      if (denials.length > 0) {
        return {
          why: deniedFailure(denials, name),
          note: () => policy.note(caller, asked, denials, command.id),
        };
      }
      const about = { caller, commandId: command.id, action: name, subject, request: asked.request };
      return { note: () => audit.record({ kind: AuditKind.COMMAND, ...about, outcome: "allowed" }) };
    },
    ended(command, caller, { outcome }) {
      const why = outcome.case === "failure" ? asFailure(fromFailureMessage(outcome.value)) : undefined;
      const about = { caller, commandId: command.id, subject: workloadOf(command) ?? "" };
      const action = commandNameOf(command) ?? "";
      audit.record({ kind: AuditKind.RESULT, ...about, action, outcome: why?.kind ?? "ok" });
    },
  };
}
