import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { asFailure, failure } from "../../base/failure.ts";
import { type AgentRequest, type AgentResponse, answerJson, errorBody, type Who } from "./answer.ts";
import { atMost } from "./forward.ts";
import { type Asked, asBody, asList, type Body, textBytesOf } from "./llm-api.ts";
import { type Budgets, estimate, type Held } from "./llm-budget.ts";
import { type Answering, type CallOptions, call, wholeOf } from "./llm-call.ts";
import { chosenModel, type Model } from "./llm-models.ts";
import type { Tokens, Usage } from "./llm-usage.ts";

export interface LlmDoorOptions extends Omit<CallOptions, "secretOf"> {
  models: ReadonlyMap<string, Model>;
  usage: Usage;
  budgets: Budgets;
  secretOf(credential: string, use: { agent: string; taskId: string; purpose: string }): Promise<Buffer>;
}

/** One agent at the door. */
export interface Visit {
  spec: AgentSpec;
  who: Who;
  request: AgentRequest;
  response: AgentResponse;
  signal: AbortSignal;
}

/** The most of a request, in bytes: a long conversation with pictures. */
const mostBytes = 16 << 20;
const asks: readonly Asked[] = ["chat/completions", "completions", "embeddings"];

/** `/llm/v1/...`: language models for agents, who all speak as to OpenAI. */
export async function answerLlm(options: LlmDoorOptions, visit: Visit): Promise<void> {
  const { spec, request, response } = visit;
  const [path = ""] = (request.url ?? "").replace(/^\/llm\/v1\//, "").split("?");
  if (path === "models" && request.method === "GET")
    return answerJson(response, 200, listOf(options.models, spec));
  const asked = asks.find((one) => one === path);
  if (!asked)
    throw failure("not_found", `there is no /llm/v1/${path}: there are ${asks.join(", ")} and models`);
  if (request.method !== "POST")
    throw failure("invalid", `${request.method} is not what ${asked} takes: POST is`);
  const body = await bodyOf(request);
  const does = asked === "embeddings" ? "embeddings" : "chat";
  const model = chosenModel(options.models, { alias: body.model, does, spec });
  await count(options, { visit, asked, body, model });
}

interface Question {
  visit: Visit;
  asked: Asked;
  body: Body;
  model: Model;
}

/** Asks within the budgets, and notes what it took, however it ends. */
async function count(options: LlmDoorOptions, question: Question): Promise<void> {
  const { visit, asked, body, model } = question;
  const { who, spec, response, signal } = visit;
  const secretOf = (name: string, purpose: string) => options.secretOf(name, { ...who, purpose });
  const input = estimate(textBytesOf([body.messages, body.prompt, body.input, body.tools]));
  let isAnswered = false;
  let tokens: Tokens = { input: 0, output: 0 };
  try {
    using held = options.budgets.hold(who, spec.llm, input);
    const answering = await call({ ...options, secretOf }, { model, asked, body }, signal);
    const counting: Counting = {
      ...{ held, input },
      counted(now) {
        tokens = now;
      },
    };
    counting.counted({ input, output: 0 });
    if (body.stream === true && asked !== "embeddings") await stream(question, answering, counting);
    else answerJson(response, 200, await whole(question, answering, counting));
    isAnswered = true;
  } finally {
    options.usage.add(who, model, tokens, isAnswered);
  }
}

interface Counting {
  held: Held;
  /** Tokens of the request, estimated. */
  input: number;
  /** It took so many by now. */
  counted(tokens: Tokens): void;
}

async function whole({ asked, model }: Question, answering: Answering, { input, counted }: Counting) {
  const { value, textBytes, tokens } = answering.api.answer(asked, await wholeOf(answering), model);
  counted(tokens ?? { input, output: estimate(textBytes) });
  return value;
}

/** Passes an answer on as it comes; one that leaves its budget is ended, and says so. */
async function stream(
  { visit, asked, body, model }: Question,
  answering: Answering,
  counting: Counting,
): Promise<void> {
  const { response, signal } = visit;
  const isUsageAsked = asBody(body.stream_options).include_usage === true;
  const { held, input, counted } = counting;
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const events = async function* () {
    let textBytes = 0;
    /** What the provider counted last: better than any estimate. */
    let told: Tokens | undefined;
    try {
      for await (const piece of answering.api.pieces(asked, answering.stream, model, isUsageAsked)) {
        textBytes += piece.textBytes;
        told = piece.tokens ?? told;
        const tokens = told ?? { input, output: estimate(textBytes) };
        counted(tokens);
        held.grow(tokens.input + tokens.output);
        if (piece.value) yield eventOf(piece.value);
      }
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      yield eventOf(errorBody(asFailure(thrown)));
    } finally {
      answering.stream.destroy();
    }
    yield "data: [DONE]\n\n";
  };
  await pipeline(Readable.from(events()), response, { signal });
}

function eventOf(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

async function bodyOf(request: AgentRequest): Promise<Body> {
  const tooLong = () => failure("exhausted", `the request is longer than ${mostBytes} bytes`);
  const bytes = await buffer(request.pipe(atMost(mostBytes, tooLong)));
  try {
    return asBody(JSON.parse(bytes.toString()));
  } catch {
    throw failure("invalid", "the request is not JSON");
  }
}

/** The models that an agent may use, as OpenAI lists them. */
function listOf(models: ReadonlyMap<string, Model>, { llm }: AgentSpec) {
  const data = asList(llm?.aliases).flatMap((alias) => {
    const found = models.get(String(alias));
    return found ? [{ id: found.alias, object: "model", created: 0, owned_by: found.provider.name }] : [];
  });
  return { object: "list", data };
}
