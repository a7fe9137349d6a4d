import { once } from "node:events";
import { createSecureServer } from "node:http2";
import type { Socket } from "node:net";
import { connectionsOf } from "../../base/connections.ts";
import { failure } from "../../base/failure.ts";
import { listen } from "../../base/listen.ts";
import { answering } from "../../wire/answering.ts";
import { toConnectError } from "../../wire/failures.ts";
import { minTlsVersion } from "../../wire/tls.ts";
import type { ServerCertificate, ServerIdentity } from "../enrolment/index.ts";
import { fromAddress } from "./caller.ts";
import { endIdle } from "./idle.ts";
import type { Rooms } from "./rooms.ts";
import { routesOf } from "./routes.ts";

export interface ApiOptions {
  /** The address to listen on. */
  host: string;
  /** 0 lets the system choose. */
  port: number;
  certificate: ServerCertificate;
  rooms: Rooms;
}

/** How long callers have to take their last answers when the hub stops, in milliseconds. */
const closeMs = 2_000;
const handshakeTimeoutMs = 10_000;
/** Calls at once on one connection; more wait at the caller. */
const maxConcurrentStreams = 1_000;
/** A connection without a call under way ends after this long, in milliseconds; callers open another without noticing. */
const idleMs = 5 * 60_000;
/** After so long without a word, the kernel asks whether a caller still is there. */
const keepAliveMs = 30_000;

/** The API's listener. Closing it ends watches and waiting calls with a sentence, and gives callers a moment to read it. */
export interface Api extends AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
}

/**
 * Opens one TLS port for gRPC, gRPC-Web, Connect and curl.
 * @throws {Failure} conflict: the port is taken. denied, invalid: this user, or this machine, cannot have it.
 */
export async function openApi({ host, port, certificate, rooms }: ApiOptions): Promise<Api> {
  const stopping = new AbortController();
  using opening = new DisposableStack();
  // What follows the hub's engines must not outlive an API that cannot listen.
  opening.defer(() => stopping.abort());
  const answer = answering(routesOf(rooms, stopping.signal), rooms.log);
  const server = createSecureServer({
    ...secureContext(certificate.current),
    allowHTTP1: true,
    handshakeTimeout: handshakeTimeoutMs,
    settings: { maxConcurrentStreams },
  });
  endIdle(server, idleMs);
  server.on("request", (request, response) => {
    answer(request, response, fromAddress(request.socket.remoteAddress));
  });
  server.on("tlsClientError", (error) => rooms.log.debug({ error }, "caller could not connect"));
  server.on("sessionError", (error) => rooms.log.debug({ error }, "connection to a caller broke"));
  const connections = connectionsOf(server);
  server.on("connection", (socket: Socket) => socket.setKeepAlive(true, keepAliveMs));
  const settings = { host: "hub.listen", port: "hub.api.port" };
  const bound = await listen(server, { host, port, settings });
  opening.move();
  const forget = certificate.onChange((identity) => server.setSecureContext(secureContext(identity)));
  return {
    port: bound,
    async [Symbol.asyncDispose]() {
      forget();
      const closed = once(server, "close");
      server.close();
      stopping.abort(toConnectError(failure("unavailable", "the hub is stopping: try again in a moment")));
      const late = setTimeout(() => {
        for (const socket of connections) socket.destroy();
      }, closeMs);
      await closed;
      clearTimeout(late);
    },
  };
}

function secureContext({ key, cert }: ServerIdentity) {
  return { key, cert, minVersion: minTlsVersion };
}
