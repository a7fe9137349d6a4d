import type { IncomingMessage } from "node:http";
import { pipeline, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Clock } from "../../base/clock.ts";
import { asFailure, type Failure, type FailureKind, failure } from "../../base/failure.ts";
import { secretCutter } from "./cut-secret.ts";
import { atMost } from "./forward.ts";
import { inHeader } from "./headers.ts";
import { type Api, type Asked, asBody, type Body } from "./llm-api.ts";
import { parsed } from "./llm-lines.ts";
import type { Model } from "./llm-models.ts";
import { ollama } from "./llm-ollama.ts";
import { openAi } from "./llm-openai.ts";
import type { Sender } from "./send.ts";

export interface CallOptions {
  sender: Sender;
  clock: Clock;
  /** The value of the provider's credential, noted as used; the caller's to clear. */
  secretOf(credential: string, purpose: string): Promise<Buffer>;
}

/** An answer whose head is there: the rest of it comes as it is read. */
export interface Answering {
  api: Api;
  stream: Readable;
}

/** Pauses before a request is sent again, in milliseconds; a provider that names one of its own is waited for if it is short. */
const pausesMs = [500, 1_500];
const longestPauseMs = 5_000;
/** Answers that may be another one a moment later. */
const passing = [408, 429, 500, 502, 503, 504, 529];
/** The most of an answer, and of one that says why there is none, in bytes. */
const most = { answer: 64 << 20, refusal: 64 << 10 };

export function apiOf({ provider }: Model): Api {
  return provider.api === "openai" ? openAi : ollama;
}

/**
 * Asks a provider. What fails before the first byte of an answer is tried again a little later; after it, nothing is.
 * @throws {Failure} unavailable, deadline, exhausted, invalid, not_found: in the provider's words, without our secret.
 */
export async function call(
  options: CallOptions,
  { model, asked, body }: { model: Model; asked: Asked; body: Body },
  signal: AbortSignal,
): Promise<Answering> {
  const api = apiOf(model);
  const { url: base, credential } = model.provider;
  const url = new URL(base);
  const path = `${url.pathname.replace(/\/$/, "")}${api.path(asked)}`;
  const bytes = Buffer.from(JSON.stringify(api.request(asked, body, model)));
  const secret = credential === undefined ? Buffer.alloc(0) : await options.secretOf(credential, url.origin);
  const headers = {
    ...{ host: url.host, "content-type": "application/json", "content-length": bytes.length },
    ...{ accept: "application/json, text/event-stream", "accept-encoding": "identity" },
    ...(secret.length > 0 && { authorization: `Bearer ${inHeader(secret)}` }),
  };
  for (let attempt = 0; ; attempt++) {
    const { sent, answer } = options.sender.begin({ url, path, method: "POST", headers }, signal, false);
    sent.end(bytes);
    const tried = await answer.then((answered) => outcomeOf(answered, secret, model), notReached);
    if (tried.stream) return { api, stream: tried.stream };
    const pauseMs = Math.max(pausesMs[attempt] ?? Number.POSITIVE_INFINITY, tried.askedPauseMs);
    if (signal.aborted || !tried.mayPass || pauseMs > longestPauseMs) throw tried.why;
    await options.clock.sleep(pauseMs, signal);
  }
}

type Tried = { stream: Readable } | { stream?: never; why: unknown; mayPass: boolean; askedPauseMs: number };

/** No answer came: it is tried again if that was not decided here. */
function notReached(why: unknown): Tried {
  return { why, mayPass: asFailure(why).kind === "unavailable", askedPauseMs: 0 };
}

async function outcomeOf(answered: IncomingMessage, secret: Buffer, model: Model): Promise<Tried> {
  const status = answered.statusCode ?? 0;
  const limit = status === 200 ? most.answer : most.refusal;
  const tooMuch = () => failure("unavailable", `the provider answers with more than ${limit} bytes`);
  const stream = secretCutter(Buffer.from(secret));
  pipeline(answered, atMost(limit, tooMuch), stream, () => {}); // Whoever reads it sees how it ends.
  if (status === 200) return { stream };
  const said = saidIn(await text(stream).catch(() => ""));
  const askedPauseMs = 1000 * Number(answered.headers["retry-after"] ?? 0) || 0;
  return { why: refusal(status, said, model), mayPass: passing.includes(status), askedPauseMs };
}

/** The whole answer. @throws {Failure} unavailable: it is no JSON, or breaks off. */
export async function wholeOf({ stream }: Answering): Promise<unknown> {
  return parsed(
    await text(stream).catch((cause: unknown) => {
      throw failure("unavailable", "the provider's answer breaks off", { cause });
    }),
  );
}

/** A provider's own words: `{"error": {"message"}}` of OpenAI, `{"error"}` of Ollama. */
function saidIn(body: string): string {
  const { error } = asBody(safely(body));
  const said = typeof error === "string" ? error : asBody(error).message;
  return typeof said === "string" ? said.slice(0, 500) : "";
}

function safely(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

const kindOf: Readonly<Record<number, FailureKind>> = {
  400: "invalid",
  404: "not_found",
  422: "invalid",
  429: "exhausted",
};

function refusal(status: number, said: string, { alias, provider }: Model): Failure {
  const who = `provider ${provider.name}, asked for ${alias},`;
  const why = said === "" ? "" : `: ${said}`;
  if (status === 401 || status === 403) {
    const next = provider.credential
      ? `is the credential ${provider.credential} right?`
      : "it may need a credential";
    return failure("unavailable", `${who} answers ${status}${why}; ${next}`, { word: "provider_refused" });
  }
  return failure(kindOf[status] ?? "unavailable", `${who} answers ${status}${why}`, {
    word: "provider_error",
  });
}
