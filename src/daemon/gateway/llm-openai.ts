import { type Api, asBody, asList, type Body, textBytesOf, tokensIn } from "./llm-api.ts";
import { eventsOf, linesOf } from "./llm-lines.ts";
import type { Model } from "./llm-models.ts";

/** Providers that speak as OpenAI does: only the model's name is another one, and usage is always asked for. */
export const openAi: Api = {
  path: (asked) => `/${asked}`,
  request(_, body, { model }) {
    if (body.stream !== true) return { ...body, model };
    return { ...body, model, stream_options: { ...asBody(body.stream_options), include_usage: true } };
  },
  answer: (_, answer, model) => ({
    value: byAlias(asBody(answer), model),
    textBytes: asList(asBody(answer).choices).reduce<number>((sum, one) => sum + writtenIn(one), 0),
    tokens: tokensIn(answer),
  }),
  async *pieces(_, stream, model, isUsageAsked) {
    for await (const event of eventsOf(linesOf(stream))) {
      const body = asBody(event);
      const choices = asList(body.choices);
      const textBytes = choices.reduce<number>((sum, one) => sum + writtenIn(one), 0);
      // The piece with the usage only is for those who asked for it.
      const isForAgent = isUsageAsked || choices.length > 0 || body.error !== undefined;
      const { usage: _usage, ...rest } = body;
      const value = isUsageAsked ? body : rest;
      yield { value: isForAgent ? byAlias(value, model) : undefined, textBytes, tokens: tokensIn(body) };
    }
  },
};

/** What the model wrote in one choice: a message, a part of one, or plain text. */
function writtenIn(choice: unknown): number {
  const { message, delta, text } = asBody(choice);
  const { content, tool_calls: calls, reasoning_content: thoughts } = asBody(message ?? delta);
  return textBytesOf([content, thoughts, text, asList(calls).map((one) => asBody(one).function)]);
}

function byAlias(body: Body, { alias }: Model): Body {
  return "model" in body ? { ...body, model: alias } : body;
}
