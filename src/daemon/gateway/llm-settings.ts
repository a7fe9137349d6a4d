import * as v from "valibot";
import { evidence } from "../../base/evidence.ts";
import type { FieldViolation } from "../../base/failure.ts";
import type { Setting } from "../../base/settings.ts";

const name = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/,
    "must be 1 to 63 lower-case letters, digits, '.', '_' or '-'",
  ),
);
const cost = v.optional(
  v.pipe(v.number(), v.safeInteger("must be a whole number"), v.minValue(0, "must be 0 or more")),
  0,
);

const model = v.strictObject({
  /** What agents call it. */
  alias: name,
  /** What the provider calls it. */
  model: v.pipe(v.string(), v.minLength(1, "is empty")),
  /** What a million tokens cost, in millionths of whatever money the node's owner thinks in. */
  input_cost_micros: cost,
  output_cost_micros: cost,
});

const provider = v.strictObject({
  name,
  api: v.picklist(["openai", "ollama"], "must be openai or ollama"),
  url: v.pipe(
    v.string(),
    v.check((text) => isBaseUrl(text), "must be http:// or https://, a host, and no query"),
  ),
  credential: v.optional(name),
  models: v.optional(v.array(model), []),
  embeddings: v.optional(v.array(model), []),
});

const providers = v.pipe(
  v.unknown(),
  v.transform((given) => (typeof given === "string" ? parsed(given) : plain(given))),
  v.array(provider),
  v.maxLength(32, "has more than 32 providers"),
  v.check(
    (all) => doubleAliases(all).length === 0,
    ({ input }) => `gives the alias ${doubleAliases(input).join(", ")} to more than one model`,
  ),
);

export type LlmProvider = v.InferOutput<typeof provider>;

/** `llm_providers`: which language models agents may be allowed, and where they are. */
export const llmSettings = {
  llm_providers: {
    schema: providers,
    default: [],
    doc: "Language models behind the gateway: a list of providers, each with name, api (openai or ollama), url, credential, models and embeddings; see docs/llm.md.",
    allowed: "a list of providers, each with name, api, url and models, as docs/llm.md shows",
    explain,
  } satisfies Setting<LlmProvider[]>,
};

/** Every mistake by its place, as in `llm_providers[0].models[1].alias`. */
function explain(given: unknown): FieldViolation[] {
  const result = v.safeParse(providers, given);
  return (result.issues ?? []).map((issue) => {
    const path = (issue.path ?? [])
      .map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
      .join("");
    return { field: `llm_providers${path}`, message: sentenceOf(issue) };
  });
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "strict_object") {
    return issue.expected === "never"
      ? "is not a known key"
      : issue.input === undefined
        ? "is missing"
        : `is ${evidence(issue.input)}; a map of keys is needed`;
  }
  if (issue.kind === "validation" || issue.type === "picklist") return issue.message;
  return issue.input === undefined
    ? "is missing"
    : `is ${evidence(issue.input)}; ${issue.expected} is needed`;
}

/** The aliases that stand for more than one model: each must be different on a node. */
function doubleAliases(all: readonly LlmProvider[]): string[] {
  const aliases = all.flatMap(({ models, embeddings }) =>
    [...models, ...embeddings].map(({ alias }) => alias),
  );
  return [...new Set(aliases.filter((alias, at) => aliases.indexOf(alias) !== at))];
}

function isBaseUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) return false;
  return url.username === "" && url.search === "" && url.hash === "";
}

/** Of a variable: the same as JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // The setting says what is allowed.
  }
}

/** Of a file: its maps as objects. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, one]) => [String(key), plain(one)]));
}
