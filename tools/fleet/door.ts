import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Sessions } from "../../src/wire/sessions.ts";

/** The API of a hub, and who asks. */
export interface HubDoor {
  /** As in `https://hub.example:7444`. */
  url: string;
  caPem: string;
  operatorToken: string;
}

/** A connection of its own, on which everything is asked as the operator. */
export function transportTo({ url, caPem, operatorToken }: HubDoor): Transport {
  const asOperator: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${operatorToken}`);
    return next(request);
  };
  const sessionManager = new Sessions(url, {}, { ca: caPem });
  return createGrpcTransport({ baseUrl: url, sessionManager, interceptors: [asOperator] });
}
