import type { Document, DocumentOptions, LineCounter, Node, ParseOptions, SchemaOptions } from "yaml";
import { refused, type Source, whyNotYaml } from "./yaml-file.ts";

/** A place in a document: keys and indices from its beginning. */
export type Path = readonly (string | number)[];

/** One document of a YAML text. */
export interface YamlDocument {
  /** Its values, as nested maps. */
  value: unknown;
  /** The line on which what stands at a path begins; of what is not there, that of what it would stand in. */
  lineOf(path: Path): number;
}

/**
 * The documents of a YAML or JSON text, which `---` parts; empty ones are left out. `<<` takes over the keys of another map,
 * and `!!binary` makes bytes of base64.
 * @throws {Failure} invalid: it is no YAML; names the line.
 */
export async function parseYamlDocuments(text: string, source: Source): Promise<YamlDocument[]> {
  // Loaded only when there is something to read; see `readYamlFile`.
  const yaml = (await import("yaml")).default;
  const lineCounter = new yaml.LineCounter();
  const options = {
    uniqueKeys: true,
    prettyErrors: true,
    logLevel: "error",
    lineCounter,
    merge: true,
    customTags: ["binary"],
  } satisfies ParseOptions & DocumentOptions & SchemaOptions;
  let documents: ReturnType<typeof yaml.parseAllDocuments>;
  try {
    documents = yaml.parseAllDocuments(text, options);
  } catch (thrown) {
    throw refused(source, "is not YAML or JSON", thrown);
  }
  return [...documents].flatMap((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw refused(source, whyNotYaml(problem), problem);
    const value = treeOf(document, source);
    if (value === null || value === undefined) return [];
    return { value, lineOf: (path: Path) => lineOf(document.contents, path, { yaml, lineCounter }) };
  });
}

function treeOf(document: Pick<Document, "toJS">, source: Source): unknown {
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: 100 });
  } catch (thrown) {
    throw refused(source, "has aliases that lead nowhere or to too much", thrown);
  }
}

type Yaml = Pick<typeof import("yaml"), "isMap" | "isSeq" | "isScalar">;

function lineOf(
  root: Node | null,
  path: Path,
  { yaml, lineCounter }: { yaml: Yaml; lineCounter: LineCounter },
): number {
  let at = root;
  let offset = root?.range?.[0] ?? 0;
  for (const step of path) {
    const next = stepInto(at, step, yaml);
    if (!next) break; // It came by way of an alias, or is missing.
    offset = next.begins ?? offset;
    at = next.node;
  }
  return lineCounter.linePos(offset).line;
}

function stepInto(
  at: Node | null,
  step: string | number,
  yaml: Yaml,
): { node: Node | null; begins: number | undefined } | undefined {
  if (yaml.isSeq(at)) {
    const node = at.items[Number(step)] as Node | undefined; // Items of a parsed list are nodes.
    return node && { node, begins: node.range?.[0] };
  }
  if (!yaml.isMap(at)) return undefined;
  const pair = at.items.find(({ key }) => yaml.isScalar(key) && String(key.value) === String(step));
  if (!pair) return undefined;
  const key = pair.key as Node; // A scalar, as it was just found.
  return { node: pair.value as Node | null, begins: key.range?.[0] };
}
