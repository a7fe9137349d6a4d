import * as v from "valibot";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { failure } from "../../base/failure.ts";
import { textBytesOf } from "./llm-api.ts";
import { type Budgets, estimate } from "./llm-budget.ts";
import { type CallOptions, call, wholeOf } from "./llm-call.ts";
import { chosenModel, type Model } from "./llm-models.ts";
import type { Tokens, Usage, User } from "./llm-usage.ts";

const answer = v.object({ data: v.array(v.object({ index: v.number(), embedding: v.array(v.number()) })) });

export interface EmbedOptions extends CallOptions {
  models: ReadonlyMap<string, Model>;
  usage: Usage;
  budgets: Budgets;
}

/** Texts for a model, and for whom: an agent within its manifest, or, without one, an operator. */
export interface Texts {
  alias: string;
  texts: readonly string[];
  user: User;
  spec: AgentSpec | undefined;
}

/**
 * Texts as vectors, in their order, by a model of this node for embeddings; noted as used by whom it is for.
 * @throws {Failure} not_found: no such model, or not for this agent. exhausted: its budget. As `call`.
 */
export async function embed(
  options: EmbedOptions,
  { alias, texts, user, spec }: Texts,
  signal: AbortSignal,
): Promise<number[][]> {
  const model = chosenModel(options.models, { alias, does: "embeddings", spec });
  const estimated = { input: estimate(textBytesOf(texts)), output: 0 };
  let tokens: Tokens = { input: 0, output: 0 };
  let isAnswered = false;
  try {
    using _held = options.budgets.hold(user, spec?.llm, estimated.input);
    const body = { model: alias, input: [...texts] };
    const answering = await call(options, { model, asked: "embeddings", body }, signal);
    const piece = answering.api.answer("embeddings", await wholeOf(answering), model);
    tokens = piece.tokens ?? estimated;
    const vectors = vectorsIn(piece.value, texts.length, model);
    isAnswered = true;
    return vectors;
  } finally {
    options.usage.add(user, model, tokens, isAnswered);
  }
}

function vectorsIn(value: unknown, count: number, { provider }: Model): number[][] {
  const read = v.safeParse(answer, value);
  if (read.success && read.output.data.length === count) {
    const inOrder = read.output.data.toSorted((one, other) => one.index - other.index);
    return inOrder.map(({ embedding }) => embedding);
  }
  throw failure("unavailable", `provider ${provider.name} does not answer with one vector for each text`);
}
