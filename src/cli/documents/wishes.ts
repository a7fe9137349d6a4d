import { type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { Failure, type FieldViolation, failure, invalidField, invalidFields } from "../../base/failure.ts";
import { parseYamlDocuments, type YamlDocument } from "../../base/yaml-documents.ts";
import { isCompose, wishesFromCompose } from "./compose.ts";
import type { Environment } from "./compose-interpolate.ts";
import { documentFrom } from "./document.ts";
import { messageFrom } from "./message.ts";
import { type From, readSources, type SourceText } from "./sources.ts";
import { keysFor } from "./spelling.ts";
import { atPlaces, checkAgent, checkRuntime, type Wished, type Wishes } from "./wished.ts";

/** Of each kind for one node: more are refused before anything is sent. */
const most = 256;

/**
 * All that files describe: documents of ours, and services of Compose files.
 * @throws {Failure} invalid: what is wrong with any of them, each with its file, line and field. exhausted: there are too many.
 */
export async function readWishes(
  paths: readonly string[],
  from: From & { env: Environment },
  { compose = false }: { compose?: boolean } = {},
): Promise<Wishes> {
  const violations: FieldViolation[] = [];
  const wishes: Wishes = { runtimes: [], agents: [] };
  for (const source of await readSources(paths, from)) {
    try {
      const { runtimes, agents } = await wishesIn(source, { compose, env: from.env });
      wishes.runtimes.push(...runtimes);
      wishes.agents.push(...agents);
    } catch (thrown) {
      violations.push(...violationsBehind(thrown));
    }
  }
  violations.push(...twice(wishes.runtimes), ...twice(wishes.agents));
  if (violations.length > 0) throw invalidFields(violations);
  const { runtimes, agents } = wishes;
  if (runtimes.length + agents.length === 0) {
    throw failure("invalid", "the files describe nothing: nothing was sent");
  }
  refuseMany(runtimes, "runtimes");
  refuseMany(agents, "agents");
  return wishes;
}

function refuseMany({ length }: readonly unknown[], what: string): void {
  if (length <= most) return;
  const sentence = `the files describe ${length} ${what}, and at most ${most} go to a node at once`;
  throw failure("exhausted", `${sentence}: nothing was sent; leave some out`);
}

async function wishesIn(
  { label, text }: SourceText,
  { compose, env }: { compose: boolean; env: Environment },
): Promise<Wishes> {
  const documents = await parseYamlDocuments(text, { path: label, what: "the file" });
  if (documents.length === 0) {
    const kinds = "a document with kind: Runtime or kind: Agent, or a Compose file with services";
    throw invalidFields([{ field: label, message: `is empty: ${kinds}, is needed` }]);
  }
  const violations: FieldViolation[] = [];
  const wishes: Wishes = { runtimes: [], agents: [] };
  for (const [index, document] of documents.entries()) {
    const placeOf = placer(label, document, documents.length > 1 ? index + 1 : 0);
    const isOfCompose = compose || isCompose(document.value);
    try {
      if (isOfCompose) wishes.runtimes.push(...wishesFromCompose(document, { env, placeOf }));
      else addWish(wishes, document, placeOf);
    } catch (thrown) {
      violations.push(...violationsBehind(thrown));
    }
  }
  if (violations.length > 0) throw invalidFields(violations);
  return wishes;
}

/** Says where a path stands: file, line, document when there are several, and field. */
function placer(label: string, { lineOf }: YamlDocument, number: number) {
  const document = number > 0 ? ` document ${number}:` : "";
  return (path: readonly (string | number)[], field: string) =>
    `${label}:${lineOf(path)}:${document} ${field}`;
}

/** Adds what a document of ours wishes for. */
function addWish(to: Wishes, { value }: YamlDocument, placeOf: ReturnType<typeof placer>): void {
  const place = (field: string) => placeOf(stepsOf(field, value), field);
  const wish = placed(place, () => wishFrom(value));
  if (wish.kind === "Agent") {
    checkAgent({ spec: wish.spec, place });
    to.agents.push({ spec: wish.spec, place });
  } else {
    checkRuntime({ spec: wish.spec, place });
    to.runtimes.push({ spec: wish.spec, place });
  }
}

type Wish = { kind: "Runtime"; spec: RuntimeSpec } | { kind: "Agent"; spec: AgentSpec };

function wishFrom(value: unknown): Wish {
  const { kind, spec } = documentFrom(treeOf(value));
  return kind === "Agent"
    ? { kind, spec: messageFrom(AgentSpecSchema, spec, "spec") }
    : { kind, spec: messageFrom(RuntimeSpecSchema, spec, "spec") };
}

/** Does something; what is wrong with a field is told with its place. */
function placed<T>(place: (field: string) => string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw atPlaces(place, thrown);
  }
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
    const tree = at;
    const key = keysFor(word).find((one) => tree.has(one)) ?? word;
    at = at.get(key) as unknown;
    return [key];
  });
}

/** Names must differ: of two wishes for one thing, nobody can know which is meant. */
function twice(wishes: readonly Wished<{ name: string }>[]): FieldViolation[] {
  const first = new Map<string, Wished<{ name: string }>>();
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
