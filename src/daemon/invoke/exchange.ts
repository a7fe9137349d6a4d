import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { noAnswer } from "./no-answer.ts";

/** What is sent over a connection, and what is taken as an answer. */
export interface Asked {
  method: string;
  path: string;
  /** Names and values by turns. */
  head: string[];
  body: Uint8Array;
  maxResponseBytes: number;
  /** The runtime and where it was asked, for sentences. */
  who: string;
}

export interface Answered {
  status: number;
  /** Names and values by turns. */
  head: string[];
  body: Uint8Array;
}

/** The largest head of an answer, in bytes. */
const maxHeadBytes = 16 << 10;

/**
 * Sends one request over a connection and reads the one answer: bounded in size, and in time by the signal. Redirects are
 * answers; bodies are taken as they come. `onBytes` is told how much of the answer has come.
 * @throws {Failure} unavailable: reset, bad_response. exhausted. What the signal's reason is.
 */
export function exchange(
  socket: Socket,
  { method, path, head, body, maxResponseBytes, who }: Asked,
  { signal, onBytes }: { signal: AbortSignal; onBytes: (count: number) => void },
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", onAbort);
      settle();
      socket.destroy();
    };
    const fail = (thrown: unknown) => end(() => reject(thrown));
    const onAbort = () => fail(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) return onAbort();

    const sent = request({
      createConnection: () => socket,
      ...{ method, path, headers: head, maxHeaderSize: maxHeadBytes, setHost: false },
    });
    sent.maxHeadersCount = 0; // Not so many by number: by size, and none is left out in silence.
    sent.on("error", (error) => fail(broken(error, who)));
    let hasHead = false; // From then on the answer itself tells its end.
    sent.on("close", () => {
      if (!hasHead) fail(noAnswer("reset", `${who} ended the connection without an answer`));
    });
    sent.on("upgrade", () =>
      fail(noAnswer("bad_response", `${who} wants to speak another protocol than HTTP`)),
    );
    sent.on("response", (answer) => {
      hasHead = true;
      const tooLarge = () =>
        fail(
          failure(
            "exhausted",
            `${who} answered ${answer.statusCode} with more than ${maxResponseBytes} bytes: ask for less, or allow more`,
          ),
        );
      if (announced(answer, method) > maxResponseBytes) return tooLarge();
      const chunks: Buffer[] = [];
      let count = 0;
      onBytes(count);
      answer.on("data", (chunk: Buffer) => {
        count += chunk.length;
        if (count > maxResponseBytes) return tooLarge();
        chunks.push(chunk);
        onBytes(count);
      });
      answer.on("error", (error) => fail(broken(error, who, count)));
      answer.on("end", () => {
        const { statusCode: status = 0, rawHeaders } = answer;
        end(() => resolve({ status, head: rawHeaders, body: Buffer.concat(chunks) }));
      });
    });
    sent.end(body);
  });
}

/** The length that an answer announces for the body which follows. */
function announced({ headers, statusCode }: IncomingMessage, method: string): number {
  if (method === "HEAD" || statusCode === 304) return 0;
  return Number(headers["content-length"] ?? 0);
}

function broken(error: unknown, who: string, count?: number) {
  const code = systemCode(error);
  if (code === "HPE_HEADER_OVERFLOW") {
    return noAnswer("bad_response", `${who} answers with a head of more than ${maxHeadBytes} bytes`, error);
  }
  if (code.startsWith("HPE_") && code !== "HPE_INVALID_EOF_STATE") {
    return noAnswer(
      "bad_response",
      `what ${who} answers is not HTTP (${code}): is it the right port and scheme?`,
      error,
    );
  }
  const far = count === undefined ? "before it answered" : `after ${count} bytes of its answer`;
  return noAnswer("reset", `${who} ended the connection ${far}`, error);
}
