import { clone, getOption, type MessageShape } from "@bufbuild/protobuf";
import { rules } from "../../gen/edge/v1/rules_pb.ts";
import { type RuntimeSpec, RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";

/** Messages whose fields are changed one by one; any other is replaced as a whole. */
const byField: readonly string[] = ["resources", "log"];

/**
 * A spec with what flags name laid over it. What has a key in the contract, as a variable has its name, replaces what has the same
 * key, and stands beside the rest; capabilities are added; every other list and value is replaced.
 */
export function laidOver(spec: RuntimeSpec, given: RuntimeSpec): RuntimeSpec {
  const result: Record<string, unknown> = { ...clone(RuntimeSpecSchema, spec) };
  const named: Record<string, unknown> = { ...given };
  for (const field of RuntimeSpecSchema.fields) {
    const { localName } = field;
    const [before, after] = [result[localName], named[localName]];
    if (isUnset(after)) continue;
    const key = getOption(field, rules).uniqueBy;
    if (key !== "") result[localName] = keyed(before as Keyed[], after as Keyed[], toLocal(key));
    else if (field.name === "capabilities")
      result[localName] = [...new Set([...(before as string[]), ...(after as string[])])];
    else
      result[localName] =
        before !== undefined && byField.includes(field.name)
          ? { ...(before as object), ...set(after as object) }
          : after;
  }
  return result as unknown as MessageShape<typeof RuntimeSpecSchema>; // Each field has the type that it had.
}

type Keyed = Record<string, unknown>;

function keyed(before: readonly Keyed[], after: readonly Keyed[], key: string): Keyed[] {
  const changed = before.map((one) => after.findLast((other) => other[key] === one[key]) ?? one);
  return [...changed, ...after.filter((one) => !before.some((other) => other[key] === one[key]))];
}

function set(message: object): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => !isUnset(value)));
}

function isUnset(value: unknown): boolean {
  return (
    value === undefined ||
    value === "" ||
    value === 0 ||
    value === 0n ||
    (Array.isArray(value) && value.length === 0)
  );
}

/** The contract's name of a field as the generated code has it. */
function toLocal(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
