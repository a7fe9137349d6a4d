/**
 * The frames of the line in a WebSocket: each binary message is one, as the bytes of its protobuf message. For ways on which
 * something breaks HTTP/2. A status of gRPC becomes the code with which a WebSocket is closed: 4000 and the status.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { beginning } from "../base/evidence.ts";
import { errorChain, failure } from "../base/failure.ts";
import type { Codec } from "./codec.ts";
import { toStatusDetails } from "./failures.ts";
import { maxTransportBytes } from "./limits.ts";
import { linePath } from "./line.ts";

/** Added to a gRPC status: these codes are for private use (RFC 6455, section 7.4.2). */
const statusBase = 4000;
/** What fits into the frame that closes a WebSocket, in bytes. */
const maxReasonBytes = 123;

/** Frames that are taken before whoever writes is told to wait: one may be large. */
const writtenAhead = 4;

const options = { maxPayload: maxTransportBytes, perMessageDeflate: false };

/** Asks for a WebSocket on a connection that is open. Rejects when there is none within the signal's time. */
export async function webSocketOn<In, Out>(
  connection: TLSSocket,
  host: string,
  codec: Codec<In, Out>,
  signal: AbortSignal,
): Promise<Duplex> {
  const socket = new WebSocket(`ws://${host}${linePath}`, { ...options, createConnection: () => connection });
  socket.on("error", () => {}); // Whoever waits hears of it; without any listener the process would end.
  await once(socket, "open", { signal });
  return messagesOf(socket, codec);
}

/** Serves a WebSocket on each connection that is handed to it. One that asks for none in `idleMs` is destroyed. */
export function webSocketServer<In, Out>(
  codec: Codec<In, Out>,
  { idleMs }: { idleMs: number },
): (connection: TLSSocket, onStream: (stream: Duplex) => void) => void {
  const sockets = new WebSocketServer({ ...options, noServer: true, path: linePath });
  const http = createServer((_request, response) => {
    response.writeHead(426, { connection: "close" }).end("this is the line of a hub, for nodes only\n");
  });
  const waiting = new WeakMap<Duplex, (stream: Duplex) => void>();
  http.on("upgrade", (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    sockets.handleUpgrade(request, connection, head, (socket) => {
      waiting.get(connection)?.(messagesOf(socket, codec));
    });
  });
  return (connection, onStream) => {
    // A connection without a stream is a mistake or an attack.
    const late = setTimeout(() => connection.destroy(), idleMs).unref();
    connection.once("close", () => clearTimeout(late));
    waiting.set(connection, (stream) => {
      clearTimeout(late);
      onStream(stream);
    });
    http.emit("connection", connection);
  };
}

/** Messages both ways. An error on it tells the other side, as gRPC's streams do. */
function messagesOf<In, Out>(socket: WebSocket, { decode, encode }: Codec<In, Out>): Duplex {
  const stream = new Duplex({
    objectMode: true,
    writableHighWaterMark: writtenAhead,
    read: () => socket.resume(),
    write: (message: Out, _, done) => socket.send(encode(message), done),
    final: (done) => {
      socket.close(1000);
      done();
    },
    destroy: (error, done) => {
      if (error) socket.close(...closing(error));
      else socket.terminate();
      done(error);
    },
  });
  socket.on("message", (data: RawData, isBinary) => {
    try {
      if (!isBinary || !(data instanceof Buffer)) throw new Error("it is text");
      if (!stream.push(decode(data))) socket.pause();
    } catch (cause) {
      stream.destroy(failure("invalid", `a message came that is no frame: ${errorChain(cause)}`, { cause }));
    }
  });
  socket.on("error", (error) => stream.destroy(error));
  socket.on("close", (code, reason) => {
    if (code === 1000 || stream.destroyed) stream.push(null);
    else
      stream.destroy(
        failure("unavailable", `the WebSocket was closed with ${code}: ${reason || "no reason"}`),
      );
  });
  stream.on("error", (error) => socket.close(...closing(error)));
  return stream;
}

/** The code and the reason with which a WebSocket is closed over an error: the status of its failure. */
function closing(error: Error): [code: number, reason: Buffer] {
  const { code, message } = toStatusDetails(error);
  return [statusBase + code, Buffer.from(beginning(message, maxReasonBytes))];
}
