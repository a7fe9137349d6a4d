import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { Readable, Writable } from "node:stream";
import { asFailure, type FailureKind } from "../../base/failure.ts";
import type { CellIdentity } from "../sandbox/index.ts";

/** A request of an agent, over HTTP/1.1 or HTTP/2. */
export type AgentRequest = Readable & {
  method?: string | undefined;
  url?: string | undefined;
  headers: IncomingHttpHeaders;
};

/** What it is answered with. */
export type AgentResponse = Writable & {
  headersSent: boolean;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
};

/** Who asks: the socket says it. */
export type Who = CellIdentity & {
  /** Empty for a cell that waits for its task. */
  taskId: string;
};

const statusOf = {
  invalid: 400,
  not_found: 404,
  conflict: 409,
  denied: 403,
  unavailable: 502,
  deadline: 504,
  cancelled: 499,
  exhausted: 429,
  unsupported: 501,
  internal: 500,
} satisfies Record<FailureKind, number>;

/** Answers with JSON. */
export function answerJson(response: AgentResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}

/** A failure in the form that clients of OpenAI know: `{"error": {"message", "type", "code"}}`. */
export function errorBody(thrown: unknown) {
  const { kind, message, word } = asFailure(thrown);
  return { error: { message, type: kind, code: word || kind } };
}

/** Answers with a failure, or, when the answer has begun, breaks it off so that nobody takes it for whole. */
export function answerFailure(response: AgentResponse, thrown: unknown): void {
  if (response.headersSent) response.destroy();
  else answerJson(response, statusOf[asFailure(thrown).kind], errorBody(thrown));
}
