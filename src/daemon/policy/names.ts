import type { CelEnv, parse } from "@bufbuild/cel";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { CallerSchema, ContainerAskSchema, PolicyTotalsSchema } from "../../../gen/edge/v1/policy_pb.ts";
import { nearest } from "../../base/nearest.ts";
import { allowNames, quotaNames, type Rule } from "./rule.ts";

type Parsed = ReturnType<typeof parse>;
type Expr = NonNullable<Parsed["expr"]>;

/** As much of the type of an expression as is needed to know its fields. */
type Known =
  | { is: "message"; desc: DescMessage }
  | { is: "list"; of: Known }
  | { is: "keys"; name: string; keys: readonly string[] }
  | { is: "any" };

const any: Known = { is: "any" };

/** What rules reach. A command's request is of another type for each command, so nothing of it is known here. */
const variables: Readonly<Record<Rule["on"], Readonly<Record<string, Known>>>> = (() => {
  const both: Record<string, Known> = {
    caller: { is: "message", desc: CallerSchema },
    totals: { is: "message", desc: PolicyTotalsSchema },
    now: any,
    allow: { is: "keys", name: "allow", keys: allowNames },
    quotas: { is: "keys", name: "quotas", keys: quotaNames },
  };
  return {
    command: { ...both, command: any, request: any },
    container: { ...both, container: { is: "message", desc: ContainerAskSchema } },
  };
})();

/**
 * Names in an expression that mean nothing: variables, fields of messages, functions. An expression with such a name would fail
 * each time it is asked, and so deny everything; this finds it when the file is read.
 */
export function wrongNames(env: CelEnv, { expr, sourceInfo }: Parsed, on: Rule["on"]): string[] {
  const wrong: string[] = [];
  const say = ({ id }: Expr, sentence: string, near?: string): Known => {
    const offset = sourceInfo?.positions[String(id)];
    const place = offset === undefined ? "" : ` at column ${offset + 1}`;
    wrong.push(`${sentence}${place}${near ? `: did you mean ${near}?` : ""}`);
    return any;
  };
  const look = (at: Expr | undefined, scope: Readonly<Record<string, Known>>): Known => {
    if (!at) return any;
    const { exprKind: kind } = at;
    switch (kind.case) {
      case "identExpr": {
        const { name } = kind.value;
        const found = scope[name];
        if (found) return found;
        if (name.startsWith("@") || isType(env, name)) return any;
        return say(at, `there is no ${name}`, nearest(name, Object.keys(scope)));
      }
      case "selectExpr": {
        const values = valuesBeside(env, at);
        if (values?.includes(kind.value.field)) return any;
        if (values) return say(at, `there is no ${kind.value.field}`, nearest(kind.value.field, values));
        const of = look(kind.value.operand, scope);
        const { field } = kind.value;
        const names = namesIn(of);
        if (names && !names.includes(field)) {
          return say(at, `there is no field ${field}`, nearest(field, names));
        }
        return of.is === "message" ? typeOf(of.desc.fields.find(({ name }) => name === field)) : any;
      }
      case "callExpr": {
        const { target, args, function: name } = kind.value;
        const of = [...(target ? [target] : []), ...args].map((one) => look(one, scope));
        if (name === "_[_]" && of[0]?.is === "list") return of[0].of;
        if (!env.funcs.find(name) && !operators.includes(name)) say(at, `there is no function ${name}`);
        return any;
      }
      case "comprehensionExpr": {
        const { iterRange, iterVar, iterVar2, accuVar, accuInit, loopCondition, loopStep, result } =
          kind.value;
        const over = look(iterRange, scope);
        look(accuInit, scope);
        const inner = {
          ...scope,
          [iterVar]: over.is === "list" && iterVar2 === "" ? over.of : any,
          ...(iterVar2 !== "" && { [iterVar2]: over.is === "list" ? over.of : any }),
          [accuVar]: any,
        };
        for (const part of [loopCondition, loopStep]) look(part, inner);
        look(result, { ...scope, [accuVar]: any });
        // `filter` gives what it was given.
        return isFilter(loopStep) ? over : any;
      }
      case "listExpr":
        for (const one of kind.value.elements) look(one, scope);
        return any;
      case "structExpr":
        for (const { value } of kind.value.entries) look(value, scope);
        return any;
      default:
        return any;
    }
  };
  look(expr, variables[on]);
  return wrong;
}

/** What the planner does itself, without a function. */
const operators = ["_&&_", "_||_", "_?_:_", "@not_strictly_false", "__not_strictly_false__", "_[_]"];

function namesIn(of: Known): readonly string[] | undefined {
  if (of.is === "message") return of.desc.fields.map(({ name }) => name);
  return of.is === "keys" ? of.keys : undefined;
}

function typeOf(field: DescField | undefined): Known {
  if (!field) return any;
  if (field.fieldKind === "message") return { is: "message", desc: field.message };
  if (field.fieldKind !== "list") return any;
  return { is: "list", of: field.listKind === "message" ? { is: "message", desc: field.message } : any };
}

/** `x.filter(m, p)`: its step is `p ? @result + [m] : @result`. */
function isFilter(step: Expr | undefined): boolean {
  return step?.exprKind.case === "callExpr" && step.exprKind.value.function === "_?_:_";
}

/** The values of the enum whose name stands before the field, as in `Door.DOOR_HUB`; undefined when there is none. */
function valuesBeside(env: CelEnv, { exprKind: kind }: Expr): readonly string[] | undefined {
  const path = kind.case === "selectExpr" && kind.value.operand ? pathOf(kind.value.operand) : undefined;
  if (path === undefined) return undefined;
  const found = env.registry.getEnum(`${env.namespace}.${path}`) ?? env.registry.getEnum(path);
  return found?.values.map(({ name }) => name);
}

function pathOf({ exprKind: kind }: Expr): string | undefined {
  if (kind.case === "identExpr") return kind.value.name;
  if (kind.case !== "selectExpr" || !kind.value.operand) return undefined;
  const before = pathOf(kind.value.operand);
  return before === undefined ? undefined : `${before}.${kind.value.field}`;
}

/** The name of a type, as `type(x) == string` has it. */
function isType(env: CelEnv, name: string): boolean {
  const types = ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"];
  return types.includes(name) || env.registry.getMessage(`${env.namespace}.${name}`) !== undefined;
}
