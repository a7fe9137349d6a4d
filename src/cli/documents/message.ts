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
import { quantityFrom } from "./quantities.ts";
import { spellingOf, type Unit, unitOf } from "./spelling.ts";

/**
 * The message that a part of a YAML file describes, by the contract's names, in camelCase or snake_case; a value of an enum
 * may leave out what all have in common, as `dhcp` for `ADDRESS_MODE_DHCP`. A size or a duration may be written as people do, and
 * its key without the unit: `memory: 64Mi` for `memory_bytes`. What nothing stands behind is not set.
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
    const found = fieldNamed(String(key), schema);
    const at = `${path}.${found?.field.name ?? key}`;
    if (!found) wrong(at, `is not known; ${hintFor(String(key), schema)}`);
    else if (found.field.name in json) wrong(at, "is given twice, under two of its names");
    else if (item !== null) json[found.field.name] = fieldJson(found, item, at, wrong);
  }
  return json;
}

/** A field under the name that a document has it by. */
interface Named {
  field: DescField;
  /** Without its unit. */
  isShort: boolean;
}

function fieldNamed(key: string, schema: DescMessage): Named | undefined {
  for (const field of schema.fields) {
    const { full, short } = spellingOf(field, schema);
    if (full.includes(key)) return { field, isShort: false };
    if (short.includes(key)) return { field, isShort: true };
  }
  return undefined;
}

function hintFor(key: string, schema: DescMessage): string {
  const { fields } = schema;
  const names = fields.map((field) => spellingOf(field, schema));
  const meant = nearest(
    key,
    names.flatMap(({ full, short }) => [...full, ...short]),
  );
  return meant === undefined
    ? `there are ${fields.map(({ name }) => name).join(", ")}`
    : `did you mean ${meant}?`;
}

function fieldJson({ field, isShort }: Named, value: unknown, at: string, wrong: Wrong): JsonValue {
  const unit = unitOf(field);
  if (unit !== undefined && (isShort || isWithUnit(value))) {
    return quantityJson(unit, field.scalar, { value, isShort }, at, wrong);
  }
  if (field.fieldKind === "map") throw new Error(`${field.name}: no document has a map yet`);
  if (field.fieldKind !== "list") return oneJson(field, value, at, wrong);
  if (Array.isArray(value)) return value.map((item, index) => oneJson(field, item, `${at}[${index}]`, wrong));
  wrong(at, `is ${evidence(value)}; a list is needed`);
  return null;
}

/** Digits alone are how protobuf's JSON writes a large number, and mean what they do there. */
function isWithUnit(value: unknown): boolean {
  return typeof value === "string" && !/^-?\d{1,18}$/.test(value);
}

function quantityJson(
  unit: Unit,
  scalar: ScalarType | undefined,
  { value, isShort }: { value: unknown; isShort: boolean },
  at: string,
  wrong: Wrong,
): JsonValue {
  const quantity = quantityFrom(unit, value, isShort);
  if ("wrong" in quantity) wrong(at, quantity.wrong);
  else if (neededFor(scalar ?? ScalarType.INT64, quantity.is) === undefined) return quantity.is;
  else wrong(at, `is ${evidence(value)}; that is more than it can hold`);
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
  if (field.scalar === ScalarType.BYTES) return bytesJson(value, at, wrong);
  const needed = neededFor(field.scalar ?? ScalarType.STRING, value);
  if (needed === undefined) return value as JsonValue; // A text, a number or a boolean: it was just looked at.
  wrong(at, `is ${evidence(value)}; ${needed}`);
  return null;
}

/** Bytes are a text, or what YAML calls `!!binary`. */
function bytesJson(value: unknown, at: string, wrong: Wrong): JsonValue {
  if (typeof value === "string" || value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  wrong(at, `is ${evidence(value)}; a text is needed, or !!binary with base64 behind it`);
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
