import { create } from "@bufbuild/protobuf";
import {
  type PolicyRule,
  PolicyRuleSchema,
  type PolicyValue,
  PolicyValueSchema,
} from "../../../gen/edge/v1/policy_pb.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { compile, type Expression, policyEnv, type Variables } from "./cel.ts";
import type { PolicyFile, Some } from "./file.ts";
import { normalEntry } from "./patterns.ts";
import { optionalRules, type ProfileName, profiles, rules } from "./profiles.ts";
import { type Allow, allowNames, type Quotas, quotaNames, type Rule } from "./rule.ts";

/** A rule that can be asked. */
export interface Compiled extends Rule {
  builtIn: boolean;
  denies: Expression;
  tells?: Expression;
}

/** All by which is judged. Made once, asked often. */
export interface Ruleset {
  profile: ProfileName;
  allow: Allow;
  quotas: Quotas;
  rules: readonly Compiled[];
  /** Lists and quotas, as expressions see them. */
  variables: Variables;
}

/** What the settings say of it. */
export interface PolicyDefaults {
  /** `policy.profile`, unless the file names one. */
  profile: ProfileName;
  /** `policy.max_containers` and `policy.max_memory`, unless the file has quotas of these names. */
  quotas: Some<Quotas>;
  /** `policy.devices` and `policy.capabilities`: the lists of the profile standard, unless the file has them. */
  allow?: Some<Allow>;
}

/**
 * The rules of a profile and of a file.
 * @throws {Failure} invalid: every rule that cannot be asked, with its place in the file.
 */
export function rulesetOf(defaults: PolicyDefaults, file?: PolicyFile): Ruleset {
  const profile = file?.profile ?? defaults.profile;
  const { allow: usual, require } = profiles[profile];
  const settled = profile === "standard" ? (defaults.allow ?? {}) : {};
  const required = [...require, ...(file?.require ?? [])];
  const builtIn = [...rules, ...optionalRules.filter(({ id }) => required.includes(id))];
  const allow = listed((name) =>
    (file?.allow[name] ?? settled[name] ?? usual[name]).map((entry) => normalEntry(name, entry)),
  );
  const quotas = counted((name) => file?.quotas[name] ?? defaults.quotas[name] ?? 0n);
  const variables = {
    allow: new Map(allowNames.map((name) => [name, [...allow[name]]])),
    quotas: new Map(Object.entries(quotas)),
  };
  return { profile, allow, quotas, rules: compiled(builtIn, file), variables };
}

function compiled(builtIn: readonly Rule[], file: PolicyFile | undefined): Compiled[] {
  const env = policyEnv();
  const faults: FieldViolation[] = [];
  const made = (rule: Rule, isBuiltIn: boolean, placeOf: (key: string) => string): Compiled => {
    const read = (key: string, text: string): Expression => {
      try {
        return compile(env, text, rule.on);
      } catch (thrown) {
        const said = thrown instanceof Error ? thrown.message : String(thrown);
        faults.push({ field: placeOf(key), message: said.replace(/<input>:\d+:(\d+):/, "at column $1:") });
        return () => true;
      }
    };
    const denies = read("deny_when", rule.denyWhen);
    const tells = rule.value === "" ? undefined : read("value", rule.value);
    return { ...rule, builtIn: isBuiltIn, denies, ...(tells && { tells }) };
  };
  const own = (file?.rules ?? []).map((rule, at) => {
    const placeOf = (key: string) => file?.placeOf(["rules", at, key]) ?? key;
    const isTaken =
      builtIn.some(({ id }) => id === rule.id) || file?.rules.findIndex(({ id }) => id === rule.id) !== at;
    if (isTaken) faults.push({ field: placeOf("id"), message: `${rule.id} is the id of an earlier rule` });
    return made(rule, false, placeOf);
  });
  if (faults.length > 0) throw invalidFields(faults);
  return [...builtIn.map((rule) => made(rule, true, (key) => `${rule.id}: ${key}`)), ...own];
}

function listed(of: (name: keyof Allow) => readonly string[]): Allow {
  return Object.fromEntries(allowNames.map((name) => [name, of(name)])) as unknown as Allow; // Each name once.
}

function counted(of: (name: keyof Quotas) => bigint): Quotas {
  return Object.fromEntries(quotaNames.map((name) => [name, of(name)])) as unknown as Quotas; // As above.
}

/** Rules as the contract tells them. */
export function rulesOf({ rules: all }: Ruleset): PolicyRule[] {
  return all.map(({ on: subject, ...rule }) => create(PolicyRuleSchema, { ...rule, subject }));
}

/** Lists and quotas as the contract tells them. */
export function valuesOf({ allow, quotas }: Ruleset): PolicyValue[] {
  return [
    ...allowNames.map((name) => ({ name: `allow.${name}`, values: [...allow[name]] })),
    ...quotaNames.map((name) => ({ name: `quotas.${name}`, values: [String(quotas[name])] })),
  ].map((one) => create(PolicyValueSchema, one));
}
