import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, failure, invalidFields } from "../../base/failure.ts";
import { nearest } from "../../base/nearest.ts";

/**
 * The message that a part of a YAML file describes, by the contract's names, in camelCase or snake_case; a value of an enum
 * may leave out what all have in common, as `dhcp` for `ADDRESS_MODE_DHCP`. What nothing stands behind is not set.
 * @throws {Failure} invalid: every unknown key and every value of a wrong type, by its path.
 */
export function messageFrom<D extends DescMessage>(schema: D, value: unknown, path: string): MessageShape<D> {
  const violations: FieldViolation[] = [];
  const json = jsonOf(schema, value, path, (field, message) => violations.push({ field, message }));
  if (violations.length > 0) throw invalidFields(violations);
  try {
    return fromJson(schema, json);
  } catch (cause) {
    throw failure("invalid", `${path} is not what the contract allows`, { cause });
  }
}

type Wrong = (field: string, message: string) => void;

function jsonOf(schema: DescMessage, value: unknown, path: string, wrong: Wrong): JsonObject {
  const json: JsonObject = {};
  if (!(value instanceof Map)) {
    wrong(path, `is ${evidence(value)}; keys with values are needed`);
    return json;
  }
  for (const [key, item] of value) {
    const field = schema.fields.find(({ name, jsonName }) => key === name || key === jsonName);
    const at = `${path}.${field?.name ?? key}`;
    if (!field) wrong(at, `is not known; ${hintFor(String(key), schema)}`);
    else if (field.name in json) wrong(at, "is given twice, under both of its names");
    else if (item !== null) json[field.name] = fieldJson(field, item, at, wrong);
  }
  return json;
}

function hintFor(key: string, { fields }: DescMessage): string {
  const meant = nearest(
    key,
    fields.flatMap(({ name, jsonName }) => [name, jsonName]),
  );
  return meant === undefined
    ? `there are ${fields.map(({ name }) => name).join(", ")}`
    : `did you mean ${meant}?`;
}

function fieldJson(field: DescField, value: unknown, at: string, wrong: Wrong): JsonValue {
  if (field.fieldKind === "map") throw new Error(`${field.name}: no document has a map yet`);
  if (field.fieldKind !== "list") return oneJson(field, value, at, wrong);
  if (Array.isArray(value)) return value.map((item, index) => oneJson(field, item, `${at}[${index}]`, wrong));
  wrong(at, `is ${evidence(value)}; a list is needed`);
  return null;
}

/** What one value of a field is, which of a list is one of many. */
function oneJson(
  field: Exclude<DescField, { fieldKind: "map" }>,
  value: unknown,
  at: string,
  wrong: Wrong,
): JsonValue {
  if (field.message) return jsonOf(field.message, value, at, wrong);
  if (field.enum) return enumJson(field.enum, value, at, wrong);
  const needed = neededFor(field.scalar ?? ScalarType.STRING, value);
  if (needed === undefined) return value as JsonValue; // A text, a number or a boolean: it was just looked at.
  wrong(at, `is ${evidence(value)}; ${needed}`);
  return null;
}

/** What is needed instead of a value; undefined when it is good. */
function neededFor(scalar: ScalarType, value: unknown): string | undefined {
  if (scalar === ScalarType.STRING) {
    if (typeof value === "string") return undefined;
    return typeof value === "object" ? "a text is needed" : "a text is needed: put it in quotes";
  }
  if (scalar === ScalarType.BOOL) return typeof value === "boolean" ? undefined : "true or false is needed";
  // As protobuf's own JSON writes what is too large for others.
  const isLong = scalar === ScalarType.INT64 || scalar === ScalarType.UINT64;
  if (isLong && typeof value === "string" && /^-?\d{1,18}$/.test(value)) return undefined;
  const isUnsigned = scalar === ScalarType.UINT32 || scalar === ScalarType.UINT64;
  const isSmall = scalar === ScalarType.UINT32 || scalar === ScalarType.INT32;
  const isGood =
    Number.isSafeInteger(value) &&
    (!isUnsigned || Number(value) >= 0) &&
    (!isSmall || Math.abs(Number(value)) < 2 ** (isUnsigned ? 32 : 31));
  return isGood ? undefined : "a whole number is needed";
}

function enumJson(
  { values, sharedPrefix = "" }: DescEnum,
  value: unknown,
  at: string,
  wrong: Wrong,
): JsonValue {
  const short = (name: string) => name.toLowerCase().replace(sharedPrefix, "");
  const named = typeof value === "string" ? value.toLowerCase().replaceAll("-", "_") : undefined;
  const found = values.find(({ name }) => named === name.toLowerCase() || named === short(name));
  if (found) return found.name;
  const all = values.filter(({ number }) => number !== 0).map(({ name }) => short(name));
  wrong(at, `${evidence(value)} is not known; there are ${all.join(", ")}`);
  return null;
}
