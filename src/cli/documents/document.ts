import { resolve } from "node:path";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { nearest } from "../../base/nearest.ts";
import { readYamlFile } from "../../base/yaml-file.ts";

/** The version of the contract that documents are written for. A document need not say it. */
export const apiVersion = "edge.v1";

/** The kinds of things that a file can describe. */
const kinds = ["Runtime", "Agent"] as const;
export type Kind = (typeof kinds)[number];

const keys = ["apiVersion", "kind", "spec"];

/** What a file says should be: `kind: Runtime` or `kind: Agent`, and its `spec` as it stands there. */
export interface Document {
  kind: Kind;
  spec: unknown;
}

/**
 * Reads a file that describes one thing, in YAML or JSON. @throws {Failure} invalid: it cannot be read, or is no document;
 * what is wrong is told at once, but for the spec, which is `messageFrom`'s to read.
 */
export async function readDocument(path: string, { cwd }: { cwd: string }): Promise<Document> {
  return documentFrom(await readYamlFile(resolve(cwd, path), "the file"));
}

/** The document that a tree of values is. @throws {Failure} invalid, as above. */
export function documentFrom(tree: ReadonlyMap<unknown, unknown>): Document {
  const violations: FieldViolation[] = [];
  for (const key of tree.keys()) {
    if (keys.includes(String(key))) continue;
    const meant = nearest(String(key), keys);
    const hint = meant === undefined ? "there are apiVersion, kind and spec" : `did you mean ${meant}?`;
    violations.push({ field: String(key), message: `is not known; ${hint}` });
  }
  const version = tree.get("apiVersion");
  if (tree.has("apiVersion") && version !== apiVersion) {
    const message = `is ${evidence(version)}; ${apiVersion} is what this program reads`;
    violations.push({ field: "apiVersion", message });
  }
  const given = tree.get("kind");
  const kind = kinds.find((one) => one === given);
  if (given === undefined) violations.push({ field: "kind", message: `is required: ${kinds.join(" or ")}` });
  else if (kind === undefined) {
    const meant = typeof given === "string" ? nearest(given, kinds) : undefined;
    const hint = meant === undefined ? `there are ${kinds.join(" and ")}` : `did you mean ${meant}?`;
    violations.push({ field: "kind", message: `${evidence(given)} is not known; ${hint}` });
  }
  if (!tree.has("spec")) violations.push({ field: "spec", message: "is required" });
  if (violations.length > 0 || kind === undefined) throw invalidFields(violations);
  return { kind, spec: tree.get("spec") };
}
