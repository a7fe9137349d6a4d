import { constants, type X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type HubFrame,
  HubFrameSchema,
  type NodeFrame,
  NodeFrameSchema,
} from "../../../gen/edge/v1/control_pb.ts";
import { Transport } from "../../../gen/edge/v1/transport_pb.ts";
import { connectionsOf } from "../../base/connections.ts";
import { listen } from "../../base/listen.ts";
import type { Logger } from "../../base/log.ts";
import type { FrameEvents } from "../../wire/grpc.ts";
import { linePath } from "../../wire/line.ts";
import { minTlsVersion, nodeIdOf } from "../../wire/tls.ts";
import { webSocketServer } from "../../wire/websocket.ts";
import type { ServerCertificate, Trusting } from "../enrolment/index.ts";
import { grpcStreams } from "./grpc-stream.ts";

/** A frame of a node, with its size on the wire. */
export interface Incoming {
  frame: NodeFrame;
  sizeBytes: number;
}

/**
 * Frames of a node to be read, frames for it to be written. It ends well by `end`; badly by an error that is emitted on it, which
 * the node is told as its status.
 */
export interface NodeStream extends FrameEvents {
  write(frame: HubFrame): boolean;
  emit(event: "error", error: unknown): boolean;
  end(): unknown;
  pause(): unknown;
  resume(): unknown;
  isPaused(): boolean;
}

/** What is known of a connection, and how it ends. */
export interface Connection {
  readonly remoteAddress?: string | undefined;
  /** Ends it at once, without waiting for the other side to agree. */
  destroy(): unknown;
}

/** Who is at the other end of a connection, as its certificate says. */
export interface Visitor {
  nodeId: string;
  certificateSerial: string;
  /** The root that signed its certificate. */
  rootId: string;
  /** Milliseconds since 1970. */
  certificateIssuedAt: number;
  transport: Transport;
  /** Milliseconds since 1970. It may be over: what the visitor may do then is decided by the first frame. */
  certificateExpiresAt: number;
  socket: Connection;
}

export interface DoorOptions {
  host: string;
  port: number;
  roots: Trusting;
  certificate: Pick<ServerCertificate, "current" | "onChange">;
  log: Logger;
  /** How long a handshake may take, in milliseconds. */
  handshakeMs?: number;
  /** A node opened a stream. */
  onStream: (stream: NodeStream, visitor: Visitor) => void;
}

/** What is open to nodes. Disposing it destroys what they have open. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Takes no new connections. Those that are open go on. */
  close(): void;
}

/** A node at the far end of a bad radio link needs some seconds. */
const usualHandshakeMs = 15_000;

/** A connection without a stream is a mistake or an attack, and ends after this long, in milliseconds. */
const idleMs = 30_000;

/** The listener of the line. What is spoken inside TLS says the node: gRPC, or HTTP/1.1 for a WebSocket. */
export class Door implements Listener {
  readonly port: number;
  readonly #tls: TlsServer;
  readonly #connections: ReadonlySet<Socket>;
  readonly #stopRenewing: () => void;

  private constructor(
    port: number,
    tls: TlsServer,
    connections: ReadonlySet<Socket>,
    stopRenewing: () => void,
  ) {
    this.port = port;
    this.#tls = tls;
    this.#connections = connections;
    this.#stopRenewing = stopRenewing;
  }

  /** Listens when it resolves. Fails as `listen` does. */
  static async open({ handshakeMs = usualHandshakeMs, ...doorOptions }: DoorOptions): Promise<Door> {
    const { host, port, roots, certificate, log, onStream } = doorOptions;
    const byGrpc = grpcStreams(linePath, codec, { idleMs });
    const byWebSocket = webSocketServer(codec, { idleMs });
    const options = (): TlsOptions => tlsOptions(roots.trusted, certificate.current);
    const tls = createServer({ ...options(), handshakeTimeout: handshakeMs });
    const connections = connectionsOf(tls);
    tls.on("tlsClientError", (error, socket) => {
      log.debug({ from: socket.remoteAddress, error }, "handshake failed");
      socket.destroy(); // Node tells of one that takes too long, and leaves it open.
    });
    tls.on("secureConnection", (socket) => {
      socket.on("error", (error) => log.debug({ from: socket.remoteAddress, error }, "connection broke"));
      const transport = socket.alpnProtocol === "http/1.1" ? Transport.WEBSOCKET : Transport.GRPC;
      const visitor = visitorOn(socket, transport, roots);
      if (!visitor) {
        void roots.look(); // Another replica may have made the root that signed it.
        const why = socket.authorizationError ?? "it is of this authority, and no node's";
        log.warn({ from: socket.remoteAddress, why }, "a certificate was refused");
        socket.destroy();
        return;
      }
      const serve = transport === Transport.GRPC ? byGrpc : byWebSocket;
      serve(socket, (stream: NodeStream) => onStream(stream, visitor));
    });
    const settings = { host: "hub.listen", port: "hub.line.port" };
    const bound = await listen(tls, { host, port, settings });
    const renew = () => tls.setSecureContext(options());
    const stops = [certificate.onChange(renew), roots.onChange(renew)];
    const stopRenewing = () => {
      for (const stop of stops) stop();
    };
    return new Door(bound, tls, connections, stopRenewing);
  }

  close(): void {
    if (this.#tls.listening) this.#tls.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopRenewing();
    const closed = this.#tls.listening ? once(this.#tls, "close") : undefined;
    this.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }
}

const codec = {
  decode: (bytes: Uint8Array): Incoming => ({
    frame: fromBinary(NodeFrameSchema, bytes),
    sizeBytes: bytes.length,
  }),
  encode: (frame: HubFrame) => toBinary(HubFrameSchema, frame),
};

function tlsOptions(trusted: Trusting["trusted"], { key, cert }: ServerCertificate["current"]): TlsOptions {
  return {
    key,
    cert,
    ca: trusted.map(({ authority }) => authority.rootPem),
    minVersion: minTlsVersion,
    requestCert: true,
    rejectUnauthorized: false, // See `signerOf`.
    ALPNProtocols: ["h2", "http/1.1"],
    // No session tickets: with one, a certificate that has expired since would not be looked at again.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** What certificates for TLS clients are good for, as an object identifier. */
const clientAuth = "1.3.6.1.5.5.7.3.2";

/** What TLS may say of a certificate that is true: of its time, the first frame is judged. */
const aboutTime: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

/**
 * The root that signed a visitor's certificate, when what that says is true. Node would end a connection that it does not believe
 * without a word, and a node whose certificate has expired is to hear that, and may renew it; one that is not good yet was issued by
 * this hub when its clock was ahead. Of several things that are wrong TLS names one, so all but the time is judged anew: signed by one
 * of our issuers, for a client. That the visitor has its key, TLS has seen in any case.
 */
function signerOf(socket: TLSSocket, certificate: X509Certificate, roots: Trusting): string | undefined {
  const signer = roots.signerOf(certificate)?.id;
  if (socket.authorized) return signer;
  const isOfTime = aboutTime.has(String(socket.authorizationError));
  return isOfTime && (certificate.keyUsage ?? []).includes(clientAuth) ? signer : undefined;
}

function visitorOn(socket: TLSSocket, transport: Transport, roots: Trusting): Visitor | undefined {
  const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
  const nodeId = certificate && nodeIdOf(certificate, roots.trustDomain);
  const rootId = certificate && signerOf(socket, certificate, roots);
  if (!certificate || nodeId === undefined || rootId === undefined) return undefined;
  return {
    ...{ nodeId, rootId, transport },
    certificateSerial: certificate.serialNumber,
    certificateIssuedAt: certificate.validFromDate.getTime(),
    certificateExpiresAt: certificate.validToDate.getTime(),
    socket,
  };
}
