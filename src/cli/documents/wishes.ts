import { type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { Failure, type FieldViolation, failure, invalidField, invalidFields } from "../../base/failure.ts";
import { parseYamlDocuments, type YamlDocument } from "../../base/yaml-documents.ts";
import { runtimeLimit } from "../../wire/runtime-spec.ts";
import { isCompose, wishesFromCompose } from "./compose.ts";
import type { Environment } from "./compose-interpolate.ts";
import { documentFrom } from "./document.ts";
import { messageFrom } from "./message.ts";
import { type From, readSources, type SourceText } from "./sources.ts";
import { atPlaces, checkWish, type Wished } from "./wished.ts";

/**
 * All runtimes that files describe: documents of `kind: Runtime`, and services of Compose files.
 * @throws {Failure} invalid: what is wrong with any of them, each with its file, line and field. exhausted: there are too many.
 */
export async function readWishes(
  paths: readonly string[],
  from: From & { env: Environment },
  { compose = false }: { compose?: boolean } = {},
): Promise<Wished[]> {
  const violations: FieldViolation[] = [];
  const wishes: Wished[] = [];
  for (const source of await readSources(paths, from)) {
    try {
      wishes.push(...(await wishesIn(source, { compose, env: from.env })));
    } catch (thrown) {
      violations.push(...violationsBehind(thrown));
    }
  }
  violations.push(...twice(wishes));
  if (violations.length > 0) throw invalidFields(violations);
  if (wishes.length === 0) throw failure("invalid", "the files describe no runtime: nothing was sent");
  if (wishes.length <= runtimeLimit) return wishes;
  const sentence = `the files describe ${wishes.length} runtimes, and a node has at most ${runtimeLimit}`;
  throw failure("exhausted", `${sentence}: nothing was sent; leave some out`);
}

async function wishesIn(
  { label, text }: SourceText,
  { compose, env }: { compose: boolean; env: Environment },
): Promise<Wished[]> {
  const documents = await parseYamlDocuments(text, { path: label, what: "the file" });
  if (documents.length === 0) {
    const message = "is empty: a document with kind: Runtime, or a Compose file with services, is needed";
    throw invalidFields([{ field: label, message }]);
  }
  const violations: FieldViolation[] = [];
  const wishes = documents.flatMap((document, index): Wished[] => {
    const placeOf = placer(label, document, documents.length > 1 ? index + 1 : 0);
    try {
      if (compose || isCompose(document.value)) return wishesFromCompose(document, { env, placeOf });
      return [wishFrom(document, placeOf)];
    } catch (thrown) {
      violations.push(...violationsBehind(thrown));
      return [];
    }
  });
  if (violations.length > 0) throw invalidFields(violations);
  return wishes;
}

/** Says where a path stands: file, line, document when there are several, and field. */
function placer(label: string, { lineOf }: YamlDocument, number: number) {
  const document = number > 0 ? ` document ${number}:` : "";
  return (path: readonly (string | number)[], field: string) =>
    `${label}:${lineOf(path)}:${document} ${field}`;
}

function wishFrom({ value }: YamlDocument, placeOf: ReturnType<typeof placer>): Wished {
  const place = (field: string) => placeOf(stepsOf(field, value), field);
  let spec: RuntimeSpec;
  try {
    spec = messageFrom(RuntimeSpecSchema, documentFrom(treeOf(value)).spec, "spec");
  } catch (thrown) {
    throw atPlaces(place, thrown);
  }
  checkWish({ spec, place });
  return { spec, place };
}

function treeOf(value: unknown): Map<unknown, unknown> {
  if (value instanceof Map) return value;
  throw invalidField("kind", `the document is ${evidence(value)}; kind and spec are needed`);
}

/** `spec.vnics[0].vlan_id` as keys and indices, in the spelling of the document: it may say `vlanId`. */
function stepsOf(field: string, tree: unknown): (string | number)[] {
  let at = tree;
  return field.split(/[.[\]]+/).flatMap((word): (string | number)[] => {
    if (word === "") return [];
    if (Array.isArray(at)) {
      at = at[Number(word)] as unknown; // Whatever stands there.
      return [Number(word)];
    }
    if (!(at instanceof Map)) return [word];
    const camel = word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const key = at.has(word) ? word : camel;
    at = at.get(key) as unknown;
    return [key];
  });
}

/** Names must differ: of two wishes for one runtime, nobody can know which is meant. */
function twice(wishes: readonly Wished[]): FieldViolation[] {
  const first = new Map<string, Wished>();
  return wishes.flatMap((wish): FieldViolation[] => {
    const { name } = wish.spec;
    const before = first.get(name);
    if (!before) {
      first.set(name, wish);
      return [];
    }
    const where = before.place("spec.name").replace(/: spec\.name$/, "");
    return [
      { field: wish.place("spec.name"), message: `${evidence(name)} is already described in ${where}` },
    ];
  });
}

/** What a failure lists; one that lists nothing is about a whole file, and goes on as it is. */
function violationsBehind(thrown: unknown): readonly FieldViolation[] {
  if (thrown instanceof Failure && thrown.violations.length > 0) return thrown.violations;
  throw thrown;
}
