/**
 * Stands in for a language model where there is none: speaks as OpenAI does and as Ollama does, answers every question in the
 * same way, and asks for a key if it is given one. It needs Node 22.18 or newer, and nothing else:
 *
 *     node examples/llm-stand-in/server.ts --port 11434 [--key-file path]
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";

interface Asked {
  model?: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  messages?: { role: string; content: string }[];
  prompt?: string;
  input?: string | string[];
}

/** Starts it on this machine; port 0 is any free one. With a key, requests must carry it. */
export async function startStandIn({ port = 0, key }: { port?: number; key?: string }): Promise<Server> {
  const server = createServer((request, response) => {
    respond(request, response, key).catch((error: unknown) => {
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: String(error) } }));
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  key: string | undefined,
): Promise<void> {
  if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
    response.writeHead(401, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { message: "the key is not the right one" } }));
    return;
  }
  const asked = JSON.parse((await text(request)) || "{}") as Asked;
  const answer = answers[request.url ?? ""];
  if (!answer) {
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { message: `there is no ${request.url}` } }));
    return;
  }
  const { stream, whole } = answer(asked);
  if (asked.stream === true && stream) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of stream) {
      response.write(piece);
      await new Promise((resolve) => setImmediate(resolve)); // Each piece by itself, as a model writes.
    }
    response.end();
    return;
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(whole));
}

type Answer = (asked: Asked) => { whole: object; stream?: string[] };

const answers: Record<string, Answer> = {
  "/v1/chat/completions": (asked) =>
    openAi(
      asked,
      "chat.completion",
      (text) => ({ message: { role: "assistant", content: text } }),
      (text) => ({ delta: { content: text } }),
    ),
  "/v1/completions": (asked) =>
    openAi(
      asked,
      "text_completion",
      (text) => ({ text }),
      (text) => ({ text }),
    ),
  "/v1/embeddings": ({ model, input }) => {
    const data = textsOf(input).map((one, index) => ({
      object: "embedding",
      index,
      embedding: vectorOf(one),
    }));
    const tokens = count(textsOf(input).join(" "));
    return { whole: { object: "list", model, data, usage: { prompt_tokens: tokens, total_tokens: tokens } } };
  },
  "/api/chat": (asked) => ollama(asked, (text) => ({ message: { role: "assistant", content: text } })),
  "/api/generate": (asked) => ollama(asked, (text) => ({ response: text })),
  "/api/embed": ({ model, input }) => ({
    whole: {
      model,
      embeddings: textsOf(input).map(vectorOf),
      prompt_eval_count: count(textsOf(input).join(" ")),
    },
  }),
};

function openAi(
  asked: Asked,
  object: string,
  whole: (text: string) => object,
  part: (text: string) => object,
) {
  const { question, answer } = talkOf(asked);
  const usage = {
    prompt_tokens: count(question),
    completion_tokens: count(answer),
    total_tokens: count(question) + count(answer),
  };
  const head = { id: "stand-in", created: 0, model: asked.model };
  const chunk = (rest: object) =>
    `data: ${JSON.stringify({ ...head, object: `${object}.chunk`, ...rest })}\n\n`;
  const last = asked.stream_options?.include_usage === true ? [chunk({ choices: [], usage })] : [];
  return {
    whole: { ...head, object, choices: [{ index: 0, finish_reason: "stop", ...whole(answer) }], usage },
    stream: [
      ...wordsOf(answer).map((one) => chunk({ choices: [{ index: 0, finish_reason: null, ...part(one) }] })),
      chunk({ choices: [{ index: 0, finish_reason: "stop", ...part("") }] }),
      ...last,
      "data: [DONE]\n\n",
    ],
  };
}

function ollama(asked: Asked, part: (text: string) => object) {
  const { question, answer } = talkOf(asked);
  const head = { model: asked.model, created_at: "2026-01-01T00:00:00Z" };
  const end = {
    done: true,
    done_reason: "stop",
    prompt_eval_count: count(question),
    eval_count: count(answer),
  };
  return {
    whole: { ...head, ...part(answer), ...end },
    stream: [
      ...wordsOf(answer).map((one) => `${JSON.stringify({ ...head, ...part(one), done: false })}\n`),
      `${JSON.stringify({ ...head, ...part(""), ...end })}\n`,
    ],
  };
}

/** What was said last, and what is said to it. */
function talkOf({ messages = [], prompt = "" }: Asked): { question: string; answer: string } {
  const question = messages.at(-1)?.content ?? prompt;
  return { question, answer: `You said: ${question}` };
}

function wordsOf(text: string): string[] {
  return text.match(/\S+\s*/g) ?? [];
}

/** Words count as tokens. */
function count(text: string): number {
  return wordsOf(text).length;
}

function textsOf(input: Asked["input"] = []): string[] {
  return typeof input === "string" ? [input] : input;
}

/** Texts that share words are near each other: each word adds to one of 64 directions. */
function vectorOf(text: string): number[] {
  const vector = new Array<number>(64).fill(0);
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    const at = createHash("sha256").update(word).digest().readUInt8(0) % 64;
    vector[at] = (vector[at] ?? 0) + 1;
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((one) => one / length);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { port: { type: "string", default: "11434" }, "key-file": { type: "string" } },
  });
  const keyFile = values["key-file"];
  const key = keyFile === undefined ? {} : { key: readFileSync(keyFile, "utf8").trim() };
  await startStandIn({ port: Number(values.port), ...key });
  console.log(`a stand-in for a language model is at http://127.0.0.1:${values.port}`);
}
