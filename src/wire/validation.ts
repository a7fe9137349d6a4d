import { type DescField, type DescMessage, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type FieldRules, rules } from "../../gen/edge/v1/rules_pb.ts";
import { quoted } from "../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../base/failure.ts";

/**
 * Checks a message against the rules of its contract.
 * @throws {Failure} invalid, with every violation and its path.
 */
export function validate(schema: DescMessage, message: Message): void {
  const violations = violationsOf(schema, message);
  if (violations.length > 0) throw invalidFields(violations);
}

/** Every broken rule of a message, in field order. `path` is what stands before the field names. */
export function violationsOf(schema: DescMessage, message: Message, path = ""): FieldViolation[] {
  return check(reflect(schema, message), path);
}

interface Rules extends FieldRules {
  /** `pattern`, compiled, for the whole string. */
  whole?: RegExp;
}

/** What descriptors say never changes; decoding an option costs more than all checks of a message together. */
const known = new WeakMap<DescField, Rules | undefined>();

function rulesOf(field: DescField): Rules | undefined {
  if (!known.has(field)) {
    const said = hasOption(field, rules) ? getOption(field, rules) : undefined;
    known.set(field, said?.pattern ? { ...said, whole: new RegExp(`^(?:${said.pattern})$`, "u") } : said);
  }
  return known.get(field);
}

const judged = new WeakMap<DescMessage, readonly DescField[]>();

/** The fields in which a rule can be broken. Most have none, and a hub looks at thousands of messages in a second. */
function judgedFields(desc: DescMessage): readonly DescField[] {
  const found = judged.get(desc);
  if (found) return found;
  judged.set(desc, desc.fields); // Until it is known, for a message that holds its own kind.
  const fields = desc.fields.filter((field) => rulesOf(field) !== undefined || isJudged(field.message));
  judged.set(desc, fields);
  return fields;
}

function isJudged(desc: DescMessage | undefined): boolean {
  return desc !== undefined && (desc.typeName === TimestampSchema.typeName || judgedFields(desc).length > 0);
}

function check(message: ReflectMessage, path: string): FieldViolation[] {
  if (message.desc.typeName === TimestampSchema.typeName) {
    return checkTime(message.message as Timestamp, path); // Its descriptor was just compared.
  }
  return judgedFields(message.desc).flatMap((field) => {
    const at = path === "" ? field.name : `${path}.${field.name}`;
    const said = rulesOf(field);
    if (!message.isSet(field)) {
      return said?.required && !inOtherCase(message, field) ? [{ field: at, message: "is required" }] : [];
    }
    if (field.fieldKind === "list") return checkList(message, field, said, at);
    if (field.fieldKind === "message") return check(message.get(field), at);
    if (field.fieldKind === "scalar") return said ? checkValue(message.get(field), said, at) : [];
    return [];
  });
}

/** A field of a oneof whose other case was chosen is not missing. */
function inOtherCase(message: ReflectMessage, field: DescField): boolean {
  return field.oneof !== undefined && message.oneofCase(field.oneof) !== undefined;
}

function checkList(
  message: ReflectMessage,
  field: DescField & { fieldKind: "list" },
  said: Rules | undefined,
  at: string,
): FieldViolation[] {
  const items = [...message.get(field)];
  const found: FieldViolation[] = [];
  if (said?.maxItems && items.length > said.maxItems) {
    found.push({ field: at, message: `has ${items.length} items; at most ${said.maxItems} are allowed` });
    return found;
  }
  const firstWith = new Map<unknown, number>();
  for (const [index, item] of items.entries()) {
    const itemAt = `${at}[${index}]`;
    if (field.listKind === "message") {
      const inner = item as ReflectMessage; // A list of messages yields reflected messages.
      found.push(...check(inner, itemAt));
      if (said?.uniqueBy) {
        const key = inner.desc.fields.find((one) => one.name === said.uniqueBy);
        const value = key && inner.get(key);
        const before = firstWith.get(value);
        if (before === undefined) firstWith.set(value, index);
        else {
          const message = `${JSON.stringify(value)} is already that of ${at}[${before}]; each must be different`;
          found.push({ field: `${itemAt}.${said.uniqueBy}`, message });
        }
      }
    } else if (said) found.push(...checkValue(item, said, itemAt));
  }
  return found;
}

function checkValue(value: unknown, said: Rules, at: string): FieldViolation[] {
  if (typeof value === "string") return checkText(value, said, at);
  if (value instanceof Uint8Array) {
    if (!said.maxBytes || value.length <= said.maxBytes) return [];
    return [{ field: at, message: `is ${value.length} bytes long; at most ${said.maxBytes} are allowed` }];
  }
  if (typeof value === "number" || typeof value === "bigint") {
    const { min, max } = said;
    if ((min === undefined || value >= min) && (max === undefined || value <= max)) return [];
    return [{ field: at, message: `is ${value}; ${allowed(min, max)}` }];
  }
  return [];
}

/** The years 1 to 9999, as the Timestamp's own description says: any other cannot be told in JSON, nor shown to a person. */
const timeRange = { min: -62_135_596_800n, max: 253_402_300_799n };

function checkTime({ seconds, nanos }: Timestamp, at: string): FieldViolation[] {
  const isTime = seconds >= timeRange.min && seconds <= timeRange.max && nanos >= 0 && nanos < 1e9;
  return isTime ? [] : [{ field: at, message: "is not a time between the years 1 and 9999" }];
}

function checkText(value: string, said: Rules, at: string): FieldViolation[] {
  const bytes = Buffer.byteLength(value);
  if (said.maxBytes && bytes > said.maxBytes) {
    return [{ field: at, message: `is ${bytes} bytes long; at most ${said.maxBytes} are allowed` }];
  }
  if (said.whole === undefined || said.whole.test(value)) return [];
  const shown = quoted(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  return [{ field: at, message: `${shown} must be ${said.mustBe}` }];
}

function allowed(min: bigint | undefined, max: bigint | undefined): string {
  if (min !== undefined && max !== undefined) return `${min} to ${max} is allowed`;
  return min !== undefined ? `at least ${min} is allowed` : `at most ${max} is allowed`;
}
