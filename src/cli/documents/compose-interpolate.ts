import type { Path } from "../../base/yaml-documents.ts";

/** Where variables come from. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A tree with the variables in its texts replaced, as Compose does: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?why}`,
 * `${NAME:+instead}`, the same without the colon, and `$$` for a dollar. One that is not set and has no default is refused:
 * an empty text in its place would go unnoticed.
 */
export function interpolated(
  tree: unknown,
  env: Environment,
  refuse: (path: Path, message: string) => void,
  path: Path = [],
): unknown {
  if (typeof tree === "string") return replaced(tree, env, (message) => refuse(path, message));
  if (Array.isArray(tree)) return tree.map((one, index) => interpolated(one, env, refuse, [...path, index]));
  if (!(tree instanceof Map)) return tree;
  return new Map(
    [...tree].map(([key, one]) => [key, interpolated(one, env, refuse, [...path, String(key)])]),
  );
}

/** Defaults within defaults: more than anybody writes. */
const deepest = 10;

function replaced(text: string, env: Environment, refuse: (message: string) => void, depth = 0): string {
  if (depth > deepest) {
    refuse(`has variables within variables, more than ${deepest} deep`);
    return "";
  }
  let result = "";
  for (let at = 0; at < text.length; ) {
    if (text[at] !== "$") {
      const next = text.indexOf("$", at);
      const end = next < 0 ? text.length : next;
      result += text.slice(at, end);
      at = end;
      continue;
    }
    const variable = variableAt(text, at);
    if (variable === undefined) {
      refuse(`has a $ that begins no variable at "${text.slice(at, at + 20)}": write $$ for a dollar`);
      return result;
    }
    result += variable.name === "$" ? "$" : valueOfOne(variable, env, refuse, depth);
    at = variable.end;
  }
  return result;
}

interface Variable {
  /** `$` for a dollar. */
  name: string;
  /** `:-`, `-`, `:?`, `?`, `:+`, `+`, or nothing. */
  sign: string;
  rest: string;
  end: number;
}

function variableAt(text: string, at: number): Variable | undefined {
  if (text[at + 1] === "$") return { name: "$", sign: "", rest: "", end: at + 2 };
  const [plain] = /^[A-Za-z_]\w*/.exec(text.slice(at + 1)) ?? [];
  if (plain !== undefined) return { name: plain, sign: "", rest: "", end: at + 1 + plain.length };
  if (text[at + 1] !== "{") return undefined;
  const end = closing(text, at + 1);
  const [, name, sign = "", rest = ""] =
    /^([A-Za-z_]\w*)(?:(:?[-?+])([\s\S]*))?$/.exec(text.slice(at + 2, end)) ?? [];
  return end < 0 || name === undefined ? undefined : { name, sign, rest, end: end + 1 };
}

/** Where the brace that opens at `from` is closed: braces of variables within are skipped. */
function closing(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

function valueOfOne(
  { name, sign, rest }: Variable,
  env: Environment,
  refuse: (message: string) => void,
  depth: number,
): string {
  const value = env[name];
  const isSet = value !== undefined && !(sign.startsWith(":") && value === "");
  const otherwise = () => replaced(rest, env, refuse, depth + 1);
  if (sign.endsWith("+")) return isSet ? otherwise() : "";
  if (isSet) return value;
  if (sign.endsWith("-")) return otherwise();
  const why = sign.endsWith("?") && rest !== "" ? `: ${otherwise()}` : "";
  refuse(
    `needs the variable ${name}, which is not set${why}; set it, or give a default as in \${${name}:-value}`,
  );
  return "";
}
