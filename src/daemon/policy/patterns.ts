import { posix } from "node:path";
import { imageAskOf } from "./image-ask.ts";
import type { AllowName } from "./rule.ts";

/**
 * The expression of a list's entry: `*` stands for anything without `/`, `**` for anything, `?` for one letter, `[A-Z]` for one
 * of these. Undefined when it is none.
 */
export function expressionOf(entry: string): RegExp | undefined {
  const source = entry
    .replaceAll(/[\\^$.+(){}|]/g, "\\$&")
    .replaceAll(/\*\*|\*|\?/g, (found) => (found === "**" ? ".*" : found === "*" ? "[^/]*" : "[^/]"));
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return undefined; // A range that ends before it begins.
  }
}

/** An entry as rules compare it: devices below /dev, and images with their registry, as `nginx` means one of docker.io. */
export function normalEntry(list: AllowName, entry: string): string {
  if (list === "devices" && !entry.startsWith("/") && entry !== "**") return `/dev/${entry}`;
  if (list !== "images" || entry.startsWith("*")) return entry;
  const { registry, repository } = imageAskOf(entry);
  const at = entry.indexOf("@");
  const named = at === -1 ? entry : entry.slice(0, at);
  const tag = /:([^/:]*)$/.exec(named)?.[1];
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${at === -1 ? "" : entry.slice(at)}`;
}

/** Whether a path is one of the folders, or below one. A path that goes up somewhere is below nothing. */
export function isBelow(path: string, folders: readonly string[]): boolean {
  if (posix.normalize(path) !== path) return false;
  return folders.some((folder) => {
    const plain = folder === "/" ? "" : folder.replace(/\/+$/, "");
    return path === plain || path.startsWith(`${plain}/`);
  });
}
