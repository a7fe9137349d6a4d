import type { DescEnum, DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/** A message as a document has it, by the contract's names: what `messageFrom` reads. What is not set is left out. */
export function treeFrom<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
): Record<string, unknown> {
  return treeOf(reflect(schema, message));
}

function treeOf(message: ReflectMessage): Record<string, unknown> {
  const set = message.fields.filter((field) => message.isSet(field));
  return Object.fromEntries(set.map((field) => [field.name, valueIn(message, field)]));
}

function valueIn(message: ReflectMessage, field: DescField): unknown {
  if (field.fieldKind === "map") throw new Error(`${field.name}: no document has a map yet`);
  if (field.fieldKind === "list") return [...message.get(field)].map((item) => oneValue(field, item));
  return oneValue(field, message.get(field));
}

function oneValue(field: Exclude<DescField, { fieldKind: "map" }>, value: unknown): unknown {
  if (field.message) return treeOf(value as ReflectMessage); // So reflection gives them.
  if (field.enum) return wordOf(field.enum, Number(value));
  if (value instanceof Uint8Array) return textOf(value) ?? Buffer.from(value); // Which yaml writes as `!!binary`; of other arrays it writes all of their memory.
  if (typeof value !== "bigint") return value;
  // A number that JavaScript cannot hold is written as protobuf's JSON does.
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** Bytes as the text that they are; undefined for others. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A value of an enum without what all have in common. */
function wordOf({ values, sharedPrefix = "" }: DescEnum, number: number): string | number {
  const name = values.find((one) => one.number === number)?.name;
  return name?.toLowerCase().replace(sharedPrefix, "").replaceAll("_", "-") ?? number;
}
