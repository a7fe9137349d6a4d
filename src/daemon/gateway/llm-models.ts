import { create } from "@bufbuild/protobuf";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { LlmApi, type LlmModel, LlmModelSchema } from "../../../gen/edge/v1/gateway_pb.ts";
import { failure } from "../../base/failure.ts";
import type { LlmProvider } from "./llm-settings.ts";

/** A model that agents call by an alias. */
export interface Model {
  alias: string;
  model: string;
  does: "chat" | "embeddings";
  provider: Pick<LlmProvider, "name" | "api" | "url" | "credential">;
  /** For a million tokens, in millionths. */
  cost: { input: number; output: number };
}

/** All models of the settings, by alias. */
export function modelsOf(providers: readonly LlmProvider[]): Map<string, Model> {
  const all = providers.flatMap(({ models, embeddings, ...provider }) =>
    (["chat", "embeddings"] as const).flatMap((does) =>
      (does === "chat" ? models : embeddings).map(
        ({ alias, model, input_cost_micros: input, output_cost_micros: output }): Model => ({
          ...{ alias, model, does, provider, cost: { input, output } },
        }),
      ),
    ),
  );
  return new Map(
    all.toSorted((one, other) => (one.alias < other.alias ? -1 : 1)).map((one) => [one.alias, one]),
  );
}

/**
 * The model that an agent means. What a manifest does not list is not told apart from what is not there.
 * @throws {Failure} not_found.
 */
export function chosenModel(
  models: ReadonlyMap<string, Model>,
  { alias, does, spec }: { alias: unknown; does: Model["does"]; spec: AgentSpec | undefined },
): Model {
  const asked = typeof alias === "string" ? alias : "";
  const found = models.get(asked);
  const mayUse = spec === undefined || (spec.llm?.aliases.includes(asked) ?? false);
  if (found && mayUse && found.does === does) return found;
  const list = [...models.values()].filter(
    (one) => one.does === does && (spec?.llm?.aliases.includes(one.alias) ?? true),
  );
  const others =
    list.length === 0 ? "it may use none" : `it may use ${list.map((one) => one.alias).join(", ")}`;
  const who = spec === undefined ? "this node" : `agent ${spec.name}`;
  throw failure("not_found", `${who} has no model ${JSON.stringify(asked)} for ${does}: ${others}`, {
    word: "model_not_found",
  });
}

/** A model for operators. */
export function tellModel({ alias, model, provider, cost }: Model): LlmModel {
  return create(LlmModelSchema, {
    ...{ alias, model, provider: provider.name, url: provider.url, credential: provider.credential ?? "" },
    api: provider.api === "openai" ? LlmApi.OPENAI : LlmApi.OLLAMA,
    inputCostMicros: BigInt(cost.input),
    outputCostMicros: BigInt(cost.output),
  });
}
