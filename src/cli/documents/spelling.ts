import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

/** What a number counts, by the end of its field's name, which is left out by people who write the unit behind the number. */
export type Unit = "bytes" | "ms";

const integers: ReadonlySet<ScalarType | undefined> = new Set([
  ...[ScalarType.INT32, ScalarType.UINT32, ScalarType.INT64, ScalarType.UINT64],
]);

/** The unit of a field; undefined for what is no quantity. */
export function unitOf({ name, fieldKind, scalar }: DescField): Unit | undefined {
  if (fieldKind !== "scalar" || !integers.has(scalar)) return undefined;
  if (name.endsWith("_bytes")) return "bytes";
  return name.endsWith("_ms") ? "ms" : undefined;
}

/** The names that a field may have in a document. */
export interface Spelling {
  /** The contract's own, in both spellings: `memory_bytes`, `memoryBytes`. */
  full: readonly string[];
  /** Those without the unit: `memory`. None where another field has such a name. */
  short: readonly string[];
}

/** How a field may be spelled among its neighbours. */
export function spellingOf(field: DescField, { fields }: DescMessage): Spelling {
  const full = spellings(field.name);
  if (unitOf(field) === undefined) return { full, short: [] };
  const short = spellings(withoutUnit(field.name));
  const isTaken = fields.some(({ name }) => name === short[0]);
  return { full, short: isTaken ? [] : short };
}

/** Under which keys a name of the contract may stand, the likeliest first, for whoever looks for its place. */
export function keysFor(name: string): readonly string[] {
  return [...spellings(name), ...spellings(withoutUnit(name))];
}

function spellings(name: string): string[] {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return camel === name ? [name] : [name, camel];
}

function withoutUnit(name: string): string {
  return name.replace(/_(?:bytes|ms)$/, "");
}
