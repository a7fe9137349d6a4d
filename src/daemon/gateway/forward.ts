import { type Duplex, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { failure } from "../../base/failure.ts";
import type { AgentRequest, AgentResponse } from "./answer.ts";
import { cutFrom, secretCutter } from "./cut-secret.ts";
import { inHeader, requestHeaders, responseHeaders } from "./headers.ts";
import type { Sender } from "./send.ts";
import type { Planned } from "./upstream-plan.ts";

/** The most of a request's body and of an answer's, in bytes. */
const most = { request: 64 << 20, response: 1 << 30 };

/**
 * Sends an agent's request on with the secret in its header, and its answer back as it comes: whoever reads slowly is written to
 * slowly. The secret never comes back: an upstream that repeats it is answered for with stars.
 */
export async function forward(
  sender: Sender,
  { url, path, header, prefix }: Planned,
  {
    request,
    response,
    secret,
    signal,
  }: { request: AgentRequest; response: AgentResponse; secret: Buffer; signal: AbortSignal },
): Promise<void> {
  const method = request.method ?? "GET";
  const headers = requestHeaders(request.headers, {
    host: url.host,
    header,
    value: prefix + inHeader(secret),
  });
  const { sent, answer } = sender.begin({ url, path, method, headers }, signal, true);
  const tooLong = () => failure("exhausted", `the body is longer than ${most.request} bytes`);
  const up = pipeline(request, atMost(most.request, tooLong), sent, { signal });
  up.catch((error: unknown) => void sent.destroy(error instanceof Error ? error : undefined));
  const answered = await answer;
  const hasBody = method !== "HEAD" && ![204, 304].includes(answered.statusCode ?? 0);
  const decoders = hasBody ? decodersOf(answered.headers["content-encoding"]) : [];
  const cut = (text: string) => cutFrom(text, secret);
  const isDecoded = decoders.length > 0;
  response.writeHead(answered.statusCode ?? 502, responseHeaders(answered.headers, { cut, isDecoded }));
  const tooMuch = () => failure("exhausted", `${url.origin} answers with more than ${most.response} bytes`);
  const through = [...decoders, atMost(most.response, tooMuch), secretCutter(secret)];
  await pipeline([answered, ...through, response], { signal });
}

/** What was asked for plain and came compressed is opened: the secret could be in it. */
function decodersOf(encoding = "identity"): Duplex[] {
  const names = encoding.split(",").map((one) => one.trim().toLowerCase());
  return names.reverse().flatMap((name): Duplex[] => {
    if (name === "identity" || name === "") return [];
    if (name === "gzip" || name === "x-gzip") return [createGunzip()];
    if (name === "deflate") return [createInflate()];
    if (name === "br") return [createBrotliDecompress()];
    if (name === "zstd") return [createZstdDecompress()];
    throw failure("unavailable", `the upstream answers in the encoding ${name}, which nobody asked for`);
  });
}

/** Lets so many bytes pass. */
export function atMost(bytes: number, refuse: () => Error): Transform {
  let count = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      count += chunk.length;
      if (count > bytes) done(refuse());
      else done(null, chunk);
    },
  });
}
