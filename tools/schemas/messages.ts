import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { spellingOf } from "../../src/cli/documents/spelling.ts";
import { described, enumSchema, rulesOf, type Schema, scalarSchema } from "./values.ts";

type Comments = ReadonlyMap<string, string>;

/** The definitions of a message and of all that it is made of, by their names. */
export function definitionsOf(root: DescMessage, comments: Comments): Record<string, Schema> {
  const found = new Map<string, Schema>();
  const add = (desc: DescMessage): void => {
    if (found.has(desc.name)) return;
    found.set(desc.name, {}); // Its place in the order, and an end to circles.
    found.set(desc.name, messageSchema(desc, comments));
    for (const field of desc.fields) if (field.message) add(field.message);
  };
  add(root);
  return Object.fromEntries(found);
}

/** Where a definition is. */
export function refTo({ name }: DescMessage): string {
  return `#/$defs/${name}`;
}

/**
 * A message as documents have it. The names that an editor should offer are properties; those in camelCase, which are taken just
 * as well, are patterns, so that they are not offered beside them.
 */
function messageSchema(desc: DescMessage, comments: Comments): Schema {
  if (desc.oneofs.some(({ fields }) => fields.length > 1))
    throw new Error(`${desc.name}: no document has a oneof yet`);
  const properties: Record<string, Schema> = {};
  const patternProperties: Record<string, Schema> = {};
  const needed: (readonly string[])[] = [];
  for (const field of desc.fields) {
    const { full, short } = spellingOf(field, desc);
    for (const [names, isShort] of [
      [full, false],
      [short, true],
    ] as const) {
      const [name, ...others] = names;
      if (name === undefined) continue;
      properties[name] = fieldSchema(field, isShort, comments);
      for (const other of others)
        patternProperties[`^${other}$`] = { $ref: `${refTo(desc)}/properties/${name}` };
    }
    if (rulesOf(field)?.required) needed.push([...full, ...short]);
  }
  const certain = needed.flatMap((names) => (names.length === 1 ? names : []));
  const either = needed.flatMap((names) =>
    names.length > 1 ? [{ anyOf: names.map((one) => ({ required: [one] })) }] : [],
  );
  return {
    title: desc.name,
    ...described(comments.get(desc.typeName)),
    type: "object",
    ...(certain.length > 0 && { required: certain }),
    ...(either.length > 0 && { allOf: either }),
    properties,
    ...(Object.keys(patternProperties).length > 0 && { patternProperties }),
    additionalProperties: false,
  };
}

function fieldSchema(field: DescField, isShort: boolean, comments: Comments): Schema {
  if (field.fieldKind === "map") throw new Error(`${field.name}: no document has a map yet`);
  const description = described(comments.get(`${field.parent.typeName}.${field.name}`));
  const one = oneSchema(field, isShort, comments);
  if (field.fieldKind !== "list") return { ...description, ...one };
  const said = rulesOf(field);
  const maxItems = said?.maxItems ? { maxItems: said.maxItems } : {};
  return { ...description, type: "array", ...maxItems, ...(said?.required && { minItems: 1 }), items: one };
}

function oneSchema(
  field: Exclude<DescField, { fieldKind: "map" }>,
  isShort: boolean,
  comments: Comments,
): Schema {
  if (field.message) return { $ref: refTo(field.message) };
  if (field.enum) return enumSchema(field.enum, comments);
  return scalarSchema(field, field.scalar ?? ScalarType.STRING, isShort);
}
