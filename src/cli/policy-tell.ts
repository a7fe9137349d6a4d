import type {
  CheckPolicyResponse,
  GetPolicyResponse,
  PolicyCaseOutcome,
} from "../../gen/edge/v1/policy_pb.ts";
import { formatBytes } from "../base/quantity.ts";
import { moment } from "./answer.ts";
import { printable, rows, sheet } from "./table.ts";
import type { Terminal } from "./terminal.ts";

type Look = Pick<Terminal, "columns" | "style">;

/** What a policy says of one wish: `what` is the wish, as in `agent greeter`. */
export function verdict(what: string, { allowed, denials }: CheckPolicyResponse): string {
  if (allowed) return `${what}: the node's policy allows it\n`;
  const why = denials.map(({ rule, field, value, message }) => {
    const where = field === "" ? "" : ` ${field}${value === "" ? "" : ` is ${value}`}:`;
    return `${printable(`  ${rule}:${where} ${message}`)}\n`;
  });
  return [`${what}: the node's policy denies it\n`, ...why].join("");
}

/** A policy with its lists, its quotas and its rules. */
export function describePolicy(
  { profile, path, sha256, loadedAt, problem, values, rules }: GetPolicyResponse,
  look: Look,
  { withExpressions }: { withExpressions: boolean },
): string {
  const head = sheet([
    ["profile", profile],
    ["file", path || "none: the profile alone is in force"],
    ...(sha256 === "" ? [] : ([["sha256", sha256]] as const)),
    ["in force since", moment(loadedAt)],
    ...(problem === "" ? [] : ([["PROBLEM", problem]] as const)),
  ]);
  const lists = rows(
    look,
    ["LIST OR QUOTA", "ALLOWED"],
    values.map(({ name, values: all }) => [name, inWords(name, all)]),
    "no lists",
  );
  const asked = rules.map(({ id, subject, field, message, denyWhen, builtIn }) => [
    ...[id, subject, builtIn ? "profile" : "file", field],
    withExpressions ? denyWhen : message,
  ]);
  const titles = ["RULE", "JUDGES", "OF", "FIELD", withExpressions ? "DENIES WHEN" : "SAYS"];
  return [head, lists, rows(look, titles, asked, "no rules")].join("\n");
}

function inWords(name: string, values: readonly string[]): string {
  const [quota = ""] = values;
  if (name.startsWith("quotas.") && quota === "0") return "no limit";
  if (name.startsWith("quotas.")) return name.includes("memory") ? formatBytes(Number(quota)) : quota;
  return values.length === 0 ? "nothing" : values.join(", ");
}

/** What the cases of a policy file came to, in a table. */
export function tableOfCases(cases: readonly PolicyCaseOutcome[], look: Look): string {
  return rows(
    look,
    ["CASE", "OUTCOME", "DENIED BY", "WHY"],
    cases.map(({ name, passed, deniedBy, difference }) => [
      ...[name, passed ? "passed" : "FAILED", deniedBy.join(", "), difference],
    ]),
    "the file has no tests: `tests` is a list of them",
  );
}
