import { list } from "../../base/setting-kinds.ts";
import type { Setting } from "../../base/settings.ts";

/** One entry of `invoke.allow`: a port, and a path or, with `*` at its end, all that begin so. */
interface Allowed {
  port: number | "any" | "published";
  path: string;
  isPrefix: boolean;
}

const entry = /^(\*|published|[1-9]\d{0,4}):(\/[!-"$-)+-[\]-~]*)(\*?)$/;

/** `invoke.allow`: which ports and paths of runtimes may be asked. */
export function allowSetting(of: { default: readonly string[]; doc: string }): Setting<readonly string[]> {
  const allowed = "a list of PORT:PATH such as 8443:/api/*; PORT may be * or published, PATH may end with *";
  return list({ ...of, isItem: (text) => parse(text) !== undefined, most: 64, allowed });
}

/** Whether a request may be sent. `published` are the ports that the runtime's wish names. */
export function isAllowed(
  allow: readonly string[],
  { port, path, published }: { port: number; path: string; published: readonly number[] },
): boolean {
  const [bare = ""] = path.split("?");
  return allow.some((text) => {
    const rule = parse(text);
    if (rule === undefined) return false;
    const isPort =
      rule.port === "any" || (rule.port === "published" ? published.includes(port) : rule.port === port);
    return isPort && (rule.isPrefix ? bare.startsWith(rule.path) : bare === rule.path);
  });
}

function parse(text: string): Allowed | undefined {
  const [, port, path, star] = entry.exec(text) ?? [];
  if (port === undefined || path === undefined) return undefined;
  const number = port === "*" ? "any" : port === "published" ? port : Number(port);
  if (typeof number === "number" && number > 65_535) return undefined;
  return { port: number, path, isPrefix: star === "*" };
}
