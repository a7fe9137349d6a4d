import { create, type Message } from "@bufbuild/protobuf";
import {
  type Caller,
  type ContainerAsk,
  type PolicyDenial,
  PolicyDenialSchema,
  type PolicyTotals,
} from "../../../gen/edge/v1/policy_pb.ts";
import { beginning } from "../../base/evidence.ts";
import { momentOf, textOf, type Variables } from "./cel.ts";
import type { Compiled, Ruleset } from "./ruleset.ts";

/** What is judged, with all that rules may look at. */
export interface Case {
  caller: Caller;
  asked: { command: string; request: Message | undefined } | { container: ContainerAsk };
  totals: PolicyTotals;
  /** Wall time in milliseconds since 1970. */
  nowMs: number;
}

/** Every rule that denies, in their order; none when it is allowed. Decides by what it is given, and nothing else. */
export function judge(ruleset: Ruleset, { asked, caller, totals, nowMs }: Case): PolicyDenial[] {
  const on = "container" in asked ? "container" : "command";
  const variables = { ...ruleset.variables, ...seen(asked), caller, totals, now: momentOf(nowMs) };
  return ruleset.rules.flatMap((rule) => (rule.on === on ? denialOf(rule, variables) : []));
}

/** What is asked, as rules see it. A command of which nothing more is known has no request. */
function seen(asked: Case["asked"]): Variables {
  if ("container" in asked) return { container: asked.container };
  const { command, request } = asked;
  return { command, ...(request && { request }) };
}

/** A rule that cannot be asked denies: what it was to keep out is not known. */
function denialOf(rule: Compiled, variables: Variables): PolicyDenial[] {
  const { id, field, message } = rule;
  try {
    const denies = rule.denies(variables);
    if (denies === false) return [];
    if (denies !== true) throw new Error(`it comes to ${textOf(denies)}, not to true or false`);
    return [denial({ rule: id, field, value: told(rule, variables), message })];
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    const sentence = `the rule could not be asked, so it denies (${why}): mend it in the policy file of this node`;
    return [denial({ rule: id, field, value: "", message: sentence })];
  }
}

function told({ tells: of }: Compiled, variables: Variables): string {
  try {
    return of ? textOf(of(variables)) : "";
  } catch {
    return ""; // It denies all the same.
  }
}

function denial(of: Pick<PolicyDenial, "rule" | "field" | "value" | "message">): PolicyDenial {
  const value = beginning(of.value, 1_024);
  return create(PolicyDenialSchema, { ...of, value, message: beginning(of.message, 1_024) });
}
