import { resolve } from "node:path";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { nearest } from "../../base/nearest.ts";
import { readYamlFile } from "../../base/yaml-file.ts";

/** The kinds of things that a file can describe. */
const kinds = ["Runtime"] as const;

/** What a file says should be: `kind: Runtime`, and its `spec` as it stands there. */
export interface Document {
  kind: (typeof kinds)[number];
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
    if (key === "kind" || key === "spec") continue;
    const meant = nearest(String(key), ["kind", "spec"]);
    const hint = meant === undefined ? "there are kind and spec" : `did you mean ${meant}?`;
    violations.push({ field: String(key), message: `is not known; ${hint}` });
  }
  const given = tree.get("kind");
  const kind = kinds.find((one) => one === given);
  if (given === undefined) violations.push({ field: "kind", message: `is required: ${kinds.join(", ")}` });
  else if (kind === undefined) {
    const meant = typeof given === "string" ? nearest(given, kinds) : undefined;
    const hint = meant === undefined ? `there is ${kinds.join(", ")}` : `did you mean ${meant}?`;
    violations.push({ field: "kind", message: `${evidence(given)} is not known; ${hint}` });
  }
  if (!tree.has("spec")) violations.push({ field: "spec", message: "is required" });
  if (violations.length > 0 || kind === undefined) throw invalidFields(violations);
  return { kind, spec: tree.get("spec") };
}
