import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { ConnectRouter } from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Logger } from "../../base/log.ts";
import { fromAddress } from "./caller.ts";

export type Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/**
 * Answers HTTP requests by the router's handlers. Connect's own adapter does the same but for two things: a `Host` that
 * cannot be part of an URL would end the process, and callers that leave would be told to standard error.
 */
export function answering({ handlers }: ConnectRouter, log: Logger): Listener {
  const byPath = new Map(handlers.map((handler) => [handler.requestPath, handler]));
  const answer: (...of: Parameters<Listener>) => Promise<void> = async (request, response) => {
    const [path = ""] = request.url.split("?", 1);
    const handler = byPath.get(path);
    if (!handler) {
      refuse(
        response,
        404,
        "unimplemented",
        "there is no such method here: ask reflection for what there is",
      );
    } else if (!URL.canParse(`https://${request.authority || request.headers.host || ""}`)) {
      refuse(response, 400, "invalid_argument", "the request names no host, or one that cannot be");
    } else {
      const from = fromAddress(request.socket.remoteAddress);
      const asked = universalRequestFromNodeRequest(request, response, undefined, from);
      await universalResponseToNodeResponse(await handler(asked), response);
    }
  };
  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      log.debug({ path: request.url, error }, "answer could not be sent");
      response.stream?.destroy();
    });
  };
}

/** Refuses as the Connect protocol tells errors: every client and every person can read it. */
function refuse(response: Http2ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ code, message }));
}
