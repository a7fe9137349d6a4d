import * as v from "valibot";

/**
 * The entries of one answer. Without any some versions print nothing; -details leaves an empty object in place of what it filters
 * out. @throws what the parser or the schema says of an answer that is none.
 */
export function entriesOf<T>(schema: v.GenericSchema<unknown, T>, said: string): T[] {
  const entries = v.parse(v.array(v.looseObject({})), JSON.parse(said.trim() || "[]"));
  return entries.filter((one) => Object.keys(one).length > 0).map((one) => v.parse(schema, one));
}
