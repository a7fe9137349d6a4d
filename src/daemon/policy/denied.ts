import type { PolicyDenial } from "../../../gen/edge/v1/policy_pb.ts";
import { quoted } from "../../base/evidence.ts";
import { Failure, refusedFields } from "../../base/failure.ts";

/** Quotas of what is there: a little later the same may be allowed. */
const passing = [
  "quota.containers",
  "quota.total_memory",
  "quota.agent_containers",
  "quota.tenant_containers",
  "quota.tenant_memory",
];

/** The failure that denials are. `whole` is what a denial is about that names no field. */
export function deniedFailure(denials: readonly PolicyDenial[], whole: string): Failure {
  const { kind, message, violations } = refusedFields(
    "denied",
    denials.map(({ field, rule, value, message: why }) => {
      const what = value === "" ? "" : `${quoted(value)} is `;
      return { field: field || whole, message: `${what}denied by rule ${rule}: ${why}` };
    }),
  );
  const word = denials.every(({ rule }) => passing.includes(rule)) ? "quota" : "";
  return new Failure(kind, message, { violations, word });
}

/** Denials on a line, for the audit trail: rules, fields and values. */
export function denialsInWords(denials: readonly PolicyDenial[]): string {
  return denials
    .map(({ rule, field, value }) =>
      [rule, field, value && quoted(value)].filter((one) => one !== "").join(" "),
    )
    .join("; ");
}
