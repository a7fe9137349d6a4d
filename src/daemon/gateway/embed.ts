import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { type CallOptions, call, wholeOf } from "./llm-call.ts";
import { chosenModel, type Model } from "./llm-models.ts";
import type { Usage, User } from "./llm-usage.ts";

const answer = v.object({ data: v.array(v.object({ index: v.number(), embedding: v.array(v.number()) })) });

/**
 * Texts as vectors, in their order, by a model of this node for embeddings; noted as used by whom it is for.
 * @throws {Failure} not_found: no such model. As `call`.
 */
export async function embed(
  options: CallOptions & { models: ReadonlyMap<string, Model>; usage: Usage },
  { alias, texts, user }: { alias: string; texts: readonly string[]; user: User },
  signal: AbortSignal,
): Promise<number[][]> {
  const model = chosenModel(options.models, { alias, does: "embeddings", spec: undefined });
  const body = { model: alias, input: [...texts] };
  const answering = await call(options, { model, asked: "embeddings", body }, signal);
  const piece = answering.api.answer("embeddings", await wholeOf(answering), model);
  options.usage.add(user, model, piece.tokens ?? { input: 0, output: 0 }, true);
  const read = v.safeParse(answer, piece.value);
  if (read.success && read.output.data.length === texts.length) {
    return read.output.data
      .toSorted((one, other) => one.index - other.index)
      .map(({ embedding }) => embedding);
  }
  throw failure(
    "unavailable",
    `provider ${model.provider.name} does not answer with one vector for each text`,
  );
}
