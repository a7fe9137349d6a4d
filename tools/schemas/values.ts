import { type DescEnum, type DescField, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { type FieldRules, rules } from "../../gen/edge/v1/rules_pb.ts";
import { unitOf } from "../../src/cli/documents/spelling.ts";

/** A part of a JSON Schema. */
export type Schema = Record<string, unknown>;

/** What `parseSizeBytes` and `parseDuration` take, but for zero, which documents do not. */
const written = {
  bytes: {
    type: "string",
    pattern: "^(?=.*[1-9])\\s*\\d{1,16}(\\.\\d{1,6})?\\s*([KkMmGgTt][Ii]?)?[Bb]?\\s*$",
  },
  ms: { type: "string", pattern: "^(?=.*[1-9])\\d{1,9}(ms|s|m|h|d)$" },
} as const;

/** A large number as protobuf's own JSON writes it. */
const digits = { type: "string", pattern: "^-?\\d{1,18}$" };

const ranges: ReadonlyMap<ScalarType, readonly [least: number, most: number]> = new Map([
  [ScalarType.INT32, [-(2 ** 31), 2 ** 31 - 1]],
  [ScalarType.UINT32, [0, 2 ** 32 - 1]],
  [ScalarType.INT64, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
  [ScalarType.UINT64, [0, Number.MAX_SAFE_INTEGER]],
]);

export function rulesOf(field: DescField): FieldRules | undefined {
  return hasOption(field, rules) ? getOption(field, rules) : undefined;
}

/** What one value of a field may be. `isShort`: behind its name without the unit. */
export function scalarSchema(field: DescField, scalar: ScalarType, isShort: boolean): Schema {
  const said = rulesOf(field);
  if (scalar === ScalarType.BOOL) return { type: "boolean" };
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES)
    return textSchema(said, field.fieldKind === "scalar");
  const unit = unitOf(field);
  const number = numberSchema(said, scalar);
  if (unit === undefined) return isWide(scalar) ? { anyOf: [number, digits] } : number;
  if (unit === "ms" && isShort) return written.ms;
  const least = isShort ? { minimum: Math.max(1, Number(number.minimum)) } : {};
  return { anyOf: [written[unit], { ...number, ...least }] };
}

/** That a list is required says nothing of its values: an argument may be empty. */
function textSchema(said: FieldRules | undefined, isAlone: boolean): Schema {
  return {
    type: "string",
    // Where the contract counts bytes, characters are fewer.
    ...(said?.maxBytes && { maxLength: said.maxBytes }),
    ...(said?.required && isAlone && { minLength: 1 }),
    ...(said?.pattern && { pattern: `^(?:${said.pattern})$` }),
  };
}

function numberSchema(said: FieldRules | undefined, scalar: ScalarType): Schema {
  const range = ranges.get(scalar);
  if (!range) throw new Error(`no document has a number of type ${ScalarType[scalar]} yet`);
  const minimum = said?.min === undefined ? range[0] : Number(said.min);
  const maximum = said?.max === undefined ? range[1] : Number(said.max);
  return { type: "integer", minimum: said?.required ? Math.max(1, minimum) : minimum, maximum };
}

function isWide(scalar: ScalarType): boolean {
  return scalar === ScalarType.INT64 || scalar === ScalarType.UINT64;
}

/** One of the words of an enum, as documents have them, or by its full name. */
export function enumSchema(desc: DescEnum, comments: ReadonlyMap<string, string>): Schema {
  const prefix = desc.sharedPrefix ?? "";
  const values = desc.values.filter(({ number }) => number !== 0);
  const short = (name: string) => name.toLowerCase().replace(prefix, "");
  const words = values.map(({ name }) => ({
    const: short(name).replaceAll("_", "-"),
    ...described(comments.get(`${desc.typeName}.${name}`)),
  }));
  const others = values.flatMap(({ name }) => [name, ...(short(name).includes("_") ? [short(name)] : [])]);
  return { anyOf: [...words, { enum: others }] };
}

export function described(description: string | undefined): Schema {
  return description === undefined ? {} : { description };
}
