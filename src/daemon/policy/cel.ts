import {
  type CelEnv,
  type CelInput,
  type CelList,
  CelScalar,
  celEnv,
  celMethod,
  isCelError,
  isCelList,
  listType,
  parse,
  plan,
} from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { contract } from "../../wire/contract.ts";
import { wrongNames } from "./names.ts";
import { expressionOf, isBelow } from "./patterns.ts";
import type { Rule } from "./rule.ts";

/** What an expression reaches, by its names. */
export type Variables = Readonly<Record<string, CelInput>>;

/** An expression that can be asked: throws an Error when it comes to no value. */
export type Expression = (variables: Variables) => unknown;

/** Where expressions are read: all messages of the contract, CEL's own functions, those of strings, and two of ours. */
export function policyEnv(): CelEnv {
  const known = new Map<string, RegExp | undefined>();
  const matches = (text: string, entry: string): boolean => {
    if (!known.has(entry)) known.set(entry, expressionOf(entry));
    return known.get(entry)?.test(text) ?? false;
  };
  const texts = listType(CelScalar.DYN);
  return celEnv({
    registry: contract,
    namespace: "edge.v1",
    funcs: [
      ...strings,
      celMethod("isAmong", CelScalar.STRING, [texts], CelScalar.BOOL, function (list) {
        return textsOf(list).some((entry) => matches(this, entry));
      }),
      celMethod("isBelow", CelScalar.STRING, [texts], CelScalar.BOOL, function (list) {
        return isBelow(this, textsOf(list));
      }),
    ],
  });
}

/**
 * Reads an expression.
 * @throws {Error} it is none, or names what is not there; the message says where.
 */
export function compile(env: CelEnv, text: string, on: Rule["on"]): Expression {
  const parsed = parse(text);
  const [wrong] = wrongNames(env, parsed, on);
  if (wrong) throw new Error(wrong);
  const planned = plan(env, parsed);
  return (variables) => {
    const value: unknown = planned(variables);
    if (isCelError(value)) throw value;
    return value;
  };
}

/** A value for people: lists with commas. */
export function textOf(value: unknown): string {
  return isCelList(value) ? textsOf(value).join(", ") : String(value);
}

/** A moment, as expressions see it. */
export const momentOf = timestampFromMs;

function textsOf(list: CelList): string[] {
  return Array.from(list, String);
}
