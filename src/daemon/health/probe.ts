import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Answer, Question } from "./health.ts";

/** What is enough of a body: who writes more than this works. */
const enoughBytes = 65_536;

/**
 * Asks once over the network whether a program works. Never throws, but what the signal's reason is; the time covers the whole
 * answer, so that one which comes byte by byte is none. Redirects are answers, and nothing stays open.
 */
export async function probe(
  address: string,
  question: Extract<Question, { by: "http" | "tcp" }>,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<Answer> {
  const late = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, late]);
  const what = nameOf(address, question);
  try {
    if (question.by === "tcp") {
      await connects(address, question.port, stop);
      return { isWell: true, said: `${what} takes connections` };
    }
    const status = await statusOf(address, question, stop);
    return { isWell: status >= 200 && status < 400, said: `${what} answered ${status}` };
  } catch (thrown) {
    signal.throwIfAborted();
    const why = late.aborted ? `gave no whole answer within ${timeoutMs} ms` : `failed (${reasonOf(thrown)})`;
    return { isWell: false, said: `${what} ${why}` };
  }
}

function nameOf(address: string, question: Extract<Question, { by: "http" | "tcp" }>): string {
  const host = `${address.includes(":") ? `[${address}]` : address}:${question.port}`;
  if (question.by === "tcp") return `TCP port ${host}`;
  return `GET http${question.https ? "s" : ""}://${host}${question.path}`;
}

async function connects(host: string, port: number, signal: AbortSignal): Promise<void> {
  const socket = connect({ host, port });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.on("error", reject);
      socket.once("close", () => reject(signal.aborted ? signal.reason : new Error("closed")));
      signal.addEventListener("abort", () => socket.destroy(), { once: true });
      if (signal.aborted) socket.destroy();
    });
  } finally {
    socket.destroy();
  }
}

/** The status of an answer whose body has come, too, as far as anybody needs it. */
function statusOf(
  host: string,
  { port, path, https }: Extract<Question, { by: "http" }>,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // Any certificate will do, and no connection is kept for the next time.
    const options = {
      host,
      port,
      path,
      signal,
      agent: false,
      headers: { "user-agent": "orchestrator-health" },
    };
    const asked = https ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    asked.on("error", reject);
    asked.on("close", () => reject(new Error("closed")));
    asked.on("upgrade", () => asked.destroy(new Error("another protocol")));
    asked.on("response", (answer: IncomingMessage) => {
      const done = () => {
        resolve(answer.statusCode ?? 0);
        asked.destroy();
      };
      let bytes = 0;
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes >= enoughBytes) done();
      });
      answer.on("error", reject);
      answer.on("end", done);
    });
    asked.end();
  });
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "unknown";
  return "code" in thrown && typeof thrown.code === "string" ? thrown.code : thrown.message;
}
