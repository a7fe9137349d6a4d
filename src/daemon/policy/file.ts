import * as v from "valibot";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { nearest } from "../../base/nearest.ts";
import { parseSizeBytes } from "../../base/sizes.ts";
import { type Path, parseYamlDocuments, type YamlDocument } from "../../base/yaml-documents.ts";
import type { Source } from "../../base/yaml-file.ts";
import { expressionOf } from "./patterns.ts";
import { optionalRules, type ProfileName, profileNames } from "./profiles.ts";
import { type Allow, allowNames, type Quotas, quotaNames, type Rule } from "./rule.ts";

/** What somebody said a part of. */
export type Some<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** What a policy file says. What it leaves out is the profile's, or the settings'. */
export interface PolicyFile {
  profile?: ProfileName | undefined;
  allow: Some<Allow>;
  require: readonly string[];
  quotas: Some<Quotas>;
  rules: readonly Rule[];
  /** Its cases, as they were written; see `cases.ts`. */
  tests: readonly unknown[];
  /** Says where something stands, for a fault that is found later. */
  placeOf(path: Path): string;
}

const atMost = (most: number) =>
  v.pipe(v.string("must be a text"), v.maxLength(most, `must be at most ${most} letters long`));
const text = (most: number) => v.pipe(atMost(most), v.nonEmpty("must not be empty"));

const pattern = v.pipe(
  text(512),
  v.check(
    (one) => expressionOf(one) !== undefined,
    "is no pattern: `*`, `**`, `?` and `[a-z]` stand for something",
  ),
);
const folder = v.pipe(
  text(1_024),
  v.regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))/, "must be an absolute path without . and .."),
);

const whole = "must be a whole number, 0 for none";
const count = v.pipe(v.number(whole), v.safeInteger(whole), v.minValue(0, whole));
const size = v.pipe(
  v.union([v.string(), v.number()], "must be a size such as 512MB or 2Gi"),
  v.check((one) => parseSizeBytes(String(one)) !== undefined, "must be a size such as 512MB or 2Gi"),
  v.transform((one) => parseSizeBytes(String(one)) ?? 0),
);

const schema = v.strictObject({
  profile: v.optional(v.picklist(profileNames, `must be ${profileNames.join(" or ")}`)),
  allow: v.optional(
    v.strictObject(
      v.entriesFromList(
        allowNames,
        v.optional(v.pipe(v.array(v.string("must be a text")), v.maxLength(1_000))),
      ),
    ),
    {},
  ),
  require: v.optional(
    v.array(
      v.picklist(
        optionalRules.map(({ id }) => id),
        `must be one of ${optionalRules.map(({ id }) => id).join(", ")}`,
      ),
    ),
    [],
  ),
  quotas: v.optional(
    v.strictObject(
      Object.fromEntries(
        quotaNames.map((name) => [name, v.optional(name.includes("memory") ? size : count)]),
      ),
    ),
    {},
  ),
  rules: v.optional(
    v.pipe(
      v.array(
        v.strictObject({
          id: v.pipe(
            text(128),
            v.regex(/^[a-z0-9][a-z0-9_.-]*$/, "must be lower-case letters, digits, '.', '_' or '-'"),
          ),
          on: v.picklist(["command", "container"], "must be command or container"),
          deny_when: text(8_192),
          field: v.optional(atMost(256), ""),
          value: v.optional(atMost(8_192), ""),
          message: text(1_024),
        }),
      ),
      v.maxLength(500),
    ),
    [],
  ),
  tests: v.optional(v.pipe(v.array(v.unknown()), v.maxLength(1_000)), []),
});

/**
 * Reads the text of a policy file; none is an empty file.
 * @throws {Failure} invalid: every fault, each with its line and its key.
 */
export async function parsePolicyFile(content: string, source: Source): Promise<PolicyFile> {
  const [document, second] = await parseYamlDocuments(content, source);
  const placeOf = placesOf(document);
  if (second) throw invalidFields([{ field: source.what, message: "holds more than one document" }]);
  const parsed = v.safeParse(schema, plainOf(document?.value ?? new Map()));
  if (!parsed.success) throw invalidFields(parsed.issues.map((issue) => faultOf(issue, placeOf)));
  const { profile, allow, require, quotas, rules, tests } = parsed.output;
  const wrong = wrongEntries(allow, placeOf);
  if (wrong.length > 0) throw invalidFields(wrong);
  const given = Object.entries(quotas).flatMap(([name, most]) =>
    most === undefined ? [] : [[name, BigInt(most)]],
  );
  return {
    ...{ profile, allow, require, tests, placeOf },
    quotas: Object.fromEntries(given) as Some<Quotas>, // The schema has these names, and no others.
    rules: rules.map(({ deny_when: denyWhen, ...rule }) => ({ ...rule, denyWhen })),
  };
}

function wrongEntries(allow: Some<Allow>, placeOf: PolicyFile["placeOf"]): FieldViolation[] {
  return allowNames.flatMap((name) => {
    const entry = name.endsWith("mounts") ? folder : pattern;
    return (allow[name] ?? []).flatMap((one, at) => {
      const { issues = [] } = v.safeParse(entry, one);
      return issues.map(({ message }) => ({
        field: placeOf(["allow", name, at]),
        message: `${evidence(one)} ${message}`,
      }));
    });
  });
}

function faultOf(issue: v.BaseIssue<unknown>, placeOf: PolicyFile["placeOf"]): FieldViolation {
  const path = (issue.path ?? []).map(({ key }) => key as string | number); // Of objects and lists only.
  const field = placeOf(path);
  const last = String(path.at(-1) ?? "");
  if (issue.type === "strict_object" && issue.expected === "never") {
    const known = knownBeside(path);
    const near = nearest(last, known);
    return {
      field,
      message: near ? `is not known: did you mean ${near}?` : `is not known; known are ${known.join(", ")}`,
    };
  }
  if (issue.received === "undefined") return { field, message: "is missing" };
  return { field, message: `${evidence(issue.input)} is refused: ${issue.message}` };
}

/** The keys that may stand where an unknown one stands. */
function knownBeside([first, second]: Path): readonly string[] {
  if (second === undefined) return Object.keys(schema.entries);
  if (first === "allow") return allowNames;
  return first === "quotas" ? quotaNames : ["id", "on", "deny_when", "field", "value", "message"];
}

/** `rules[2].deny_when (line 14)` */
function placesOf(document: YamlDocument | undefined): PolicyFile["placeOf"] {
  return (path) => {
    const written = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
    const line = document ? ` (line ${document.lineOf(path)})` : "";
    return `${written.replace(/^\./, "") || "the file"}${line}`;
  };
}

/** Maps as objects: keys that are no texts are written as such. */
function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, one]) => [String(key), plainOf(one)]));
}
