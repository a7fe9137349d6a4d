import { randomUUID } from "node:crypto";
import { failure } from "../../base/failure.ts";
import { type Api, type Asked, asBody, asList, type Body, type Piece, textBytesOf } from "./llm-api.ts";
import { linesOf, valuesOf } from "./llm-lines.ts";
import type { Model } from "./llm-models.ts";
import { messageFromOllama, messageToOllama, optionsToOllama } from "./llm-ollama-message.ts";
import type { Tokens } from "./llm-usage.ts";

const paths: Readonly<Record<Asked, string>> = {
  "chat/completions": "/api/chat",
  completions: "/api/generate",
  embeddings: "/api/embed",
};

/** Ollama's own API (https://docs.ollama.com/api), which also old versions have and which says how many tokens there were. */
export const ollama: Api = {
  path: (asked) => paths[asked],
  request(asked, body, { model }) {
    if (asked === "embeddings") return { model, input: body.input };
    const format = formatOf(body.response_format);
    const common = {
      model,
      stream: body.stream === true,
      options: optionsToOllama(body),
      ...(format === undefined ? {} : { format }),
    };
    if (asked === "completions") return { ...common, prompt: body.prompt, raw: true };
    const tools = body.tools === undefined ? {} : { tools: body.tools };
    return { ...common, messages: asList(body.messages).map(messageToOllama), ...tools };
  },
  answer(asked, answer, model) {
    const body = asBody(answer);
    if (asked === "embeddings") return embeddingsOf(body, model);
    const head = headOf(asked, model, false);
    const tokens = tokensOf(body);
    const value = { ...head, choices: [choiceOf(asked, body, false)], usage: usageOf(tokens) };
    return { value, textBytes: writtenIn(body), tokens };
  },
  async *pieces(asked, stream, model, isUsageAsked) {
    const head = headOf(asked, model, true);
    for await (const line of valuesOf(linesOf(stream))) {
      const body = asBody(line);
      if (typeof body.error === "string")
        throw failure("unavailable", `the provider broke off: ${body.error.slice(0, 500)}`);
      const tokens = body.done === true ? tokensOf(body) : undefined;
      yield {
        value: { ...head, choices: [choiceOf(asked, body, true)] },
        textBytes: writtenIn(body),
        tokens,
      };
      if (tokens && isUsageAsked) {
        yield { value: { ...head, choices: [], usage: usageOf(tokens) }, textBytes: 0, tokens: undefined };
      }
    }
  },
};

function headOf(asked: Asked, { alias }: Model, isStream: boolean) {
  const isChat = asked === "chat/completions";
  const object = isChat ? `chat.completion${isStream ? ".chunk" : ""}` : "text_completion";
  const id = `${isChat ? "chatcmpl" : "cmpl"}-${randomUUID()}`;
  return { id, object, created: Math.floor(Date.now() / 1000), model: alias };
}

function choiceOf(asked: Asked, body: Body, isStream: boolean): Body {
  const end = body.done === true ? endOf(body) : null;
  if (asked === "completions") return { index: 0, text: body.response ?? "", finish_reason: end };
  const message = messageFromOllama(body.message);
  return { index: 0, [isStream ? "delta" : "message"]: message, finish_reason: end };
}

function endOf({ done_reason: reason, message }: Body): string {
  if (asList(asBody(message).tool_calls).length > 0) return "tool_calls";
  return reason === "length" ? "length" : "stop";
}

function embeddingsOf(body: Body, { alias }: Model): Piece {
  const data = asList(body.embeddings).map((embedding, index) => ({ object: "embedding", index, embedding }));
  const tokens = { input: Number(body.prompt_eval_count ?? 0), output: 0 };
  const usage = { prompt_tokens: tokens.input, total_tokens: tokens.input };
  return { value: { object: "list", data, model: alias, usage }, textBytes: 0, tokens };
}

/** A prompt that Ollama has seen before is not counted by it. */
function tokensOf({ prompt_eval_count: input, eval_count: output }: Body): Tokens | undefined {
  if (typeof input !== "number" || typeof output !== "number") return undefined;
  return { input, output };
}

function usageOf(tokens: Tokens | undefined) {
  if (!tokens) return undefined;
  const { input, output } = tokens;
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

function writtenIn({ message, response }: Body): number {
  const { content, thinking, tool_calls: calls } = asBody(message);
  return textBytesOf([content, thinking, response, calls]);
}

/** OpenAI's `response_format`: any JSON, or JSON of a schema. */
function formatOf(format: unknown): unknown {
  const { type, json_schema: schema } = asBody(format);
  if (type === "json_schema") return asBody(schema).schema;
  return type === "json_object" ? "json" : undefined;
}
