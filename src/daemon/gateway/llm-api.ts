import type { Readable } from "node:stream";
import * as v from "valibot";
import type { Model } from "./llm-models.ts";
import type { Tokens } from "./llm-usage.ts";

/** What agents may ask, by the last parts of OpenAI's paths. */
export type Asked = "chat/completions" | "completions" | "embeddings";

/** A request in OpenAI's form: what we look at of it; the rest goes on as it is. */
export type Body = Record<string, unknown>;

/** One piece of an answer in OpenAI's form, and what is counted of it. */
export interface Piece {
  /** Undefined when there is nothing to tell an agent. */
  value: Body | undefined;
  /** What the model wrote, for the estimate. */
  textBytes: number;
  /** What the provider counted, where it says it. */
  tokens: Tokens | undefined;
}

/** How a kind of provider is spoken to, by agents who speak OpenAI's way. */
export interface Api {
  /** Path below the provider's url. */
  path(asked: Asked): string;
  /** The request in the provider's form. */
  request(asked: Asked, body: Body, model: Model): Body;
  /** A whole answer in OpenAI's form. */
  answer(asked: Asked, answer: unknown, model: Model): Piece;
  /** An answer as it comes. */
  pieces(asked: Asked, stream: Readable, model: Model, isUsageAsked: boolean): AsyncGenerator<Piece>;
}

const count = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0);
const usage = v.object({ prompt_tokens: count, completion_tokens: count });

/** The tokens in an answer of OpenAI's form. */
export function tokensIn(value: unknown): Tokens | undefined {
  const found = v.safeParse(v.object({ usage }), value);
  if (!found.success) return undefined;
  return { input: found.output.usage.prompt_tokens, output: found.output.usage.completion_tokens };
}

/** A value as an object, whatever it is. */
export function asBody(value: unknown): Body {
  const found = v.safeParse(v.record(v.string(), v.unknown()), value);
  return found.success ? found.output : {};
}

/** A value as a list, whatever it is. */
export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Length in bytes of what is said in a value: of all texts in it but names of keys. */
export function textBytesOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, one) => sum + textBytesOf(one), 0);
}
