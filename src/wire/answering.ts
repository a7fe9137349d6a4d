import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { ConnectRouter, ContextValues } from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Logger } from "../base/log.ts";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;
/** Answers one request. `values` is what its call knows of who asks. */
export type Answer = (request: HttpRequest, response: HttpResponse, values: ContextValues) => void;

/**
 * Answers HTTP requests by the router's handlers. Connect's own adapter does the same but for two things: a `Host` that
 * cannot be part of an URL would end the process, and callers that leave would be told to standard error.
 */
export function answering({ handlers }: ConnectRouter, log: Logger): Answer {
  const byPath = new Map(handlers.map((handler) => [handler.requestPath, handler]));
  const answer: (...of: Parameters<Answer>) => Promise<void> = async (request, response, values) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    const handler = byPath.get(path);
    if (!handler) {
      refuse(
        response,
        404,
        "unimplemented",
        "there is no such method here: ask reflection for what there is",
      );
    } else if (!URL.canParse(`https://${hostOf(request)}`)) {
      refuse(response, 400, "invalid_argument", "the request names no host, or one that cannot be");
    } else {
      const asked = universalRequestFromNodeRequest(request, response, undefined, values);
      await universalResponseToNodeResponse(await handler(asked), response);
    }
  };
  return (request, response, values) => {
    answer(request, response, values).catch((error: unknown) => {
      log.debug({ path: request.url, error }, "answer could not be sent");
      request.destroy();
    });
  };
}

/** The host that a request is for, as its caller wrote it. */
export function hostOf(request: HttpRequest): string {
  return ("authority" in request ? request.authority : "") || request.headers.host || "";
}

/** Refuses as the Connect protocol tells errors: every client and every person can read it. */
export function refuse(response: HttpResponse, status: number, code: string, message: string): void {
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ code, message }));
}
