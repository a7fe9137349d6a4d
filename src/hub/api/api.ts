import { once } from "node:events";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import type { TLSSocket } from "node:tls";
import { type Failure, failure } from "../../base/failure.ts";
import { toConnectError } from "../../wire/failures.ts";
import { minTlsVersion } from "../../wire/tls.ts";
import type { ServerCertificate, ServerIdentity } from "../enrolment/index.ts";
import { answering } from "./requests.ts";
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
  const server = createSecureServer({
    ...secureContext(certificate.current),
    allowHTTP1: true,
    handshakeTimeout: handshakeTimeoutMs,
    settings: { maxConcurrentStreams },
  });
  server.on("request", answering(routesOf(rooms, stopping.signal), rooms.log));
  server.on("tlsClientError", (error) => rooms.log.debug({ error }, "caller could not connect"));
  server.on("sessionError", (error) => rooms.log.debug({ error }, "connection to a caller broke"));
  const sockets = new Set<TLSSocket>();
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.setKeepAlive(true, keepAliveMs);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const bound = await listen(server, host, port);
  const forget = certificate.onChange((identity) => server.setSecureContext(secureContext(identity)));
  return {
    port: bound,
    async [Symbol.asyncDispose]() {
      forget();
      const closed = once(server, "close");
      server.close();
      stopping.abort(toConnectError(failure("unavailable", "the hub is stopping: try again in a moment")));
      const late = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, closeMs);
      await closed;
      clearTimeout(late);
    },
  };
}

function secureContext({ key, cert }: ServerIdentity) {
  return { key, cert, minVersion: minTlsVersion };
}

/** The port that it listens on. */
async function listen(server: Http2SecureServer, host: string, port: number): Promise<number> {
  try {
    server.listen({ host, port });
    await once(server, "listening");
  } catch (thrown) {
    throw cannotListen(thrown, host, port);
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

function cannotListen(thrown: unknown, host: string, port: number): Failure {
  const cause = { cause: thrown };
  switch (thrown instanceof Error && "code" in thrown ? thrown.code : undefined) {
    case "EADDRINUSE":
      return failure(
        "conflict",
        `port ${port} of ${host} is taken: stop who has it, or set hub.api.port`,
        cause,
      );
    case "EACCES":
      return failure(
        "denied",
        `port ${port} may not be opened by this user: set hub.api.port to 1024 or more`,
        cause,
      );
    case "EADDRNOTAVAIL":
      return failure("invalid", `${host} is not an address of this machine: set hub.listen`, cause);
    default:
      return failure("unavailable", `port ${port} of ${host} cannot be opened`, cause);
  }
}
