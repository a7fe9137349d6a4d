import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { HubFrameSchema, type NodeFrame, NodeFrameSchema } from "../../../gen/edge/v1/control_pb.ts";
import { errorChain, Failure, failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { linePath } from "../../wire/line.ts";
import { hostOf, type ProxyNames } from "../../wire/proxy.ts";
import { resolver } from "../../wire/reach.ts";
import { secured } from "../../wire/secured.ts";
import { openWay } from "../../wire/tunnel.ts";
import type { Identity } from "../identity/index.ts";
import { grpcStream } from "./grpc-stream.ts";
import { brokenOnTheWay } from "./lost.ts";
import type { Transport } from "./route.ts";
import type { Stream } from "./session.ts";

export interface Dialled extends AsyncDisposable {
  stream: Stream;
  /** The proxy between, as `host:port`. */
  proxy?: string | undefined;
}

/**
 * Opens a stream to the hub at an address, as the node that the identity says. Rejects with the signal's reason.
 * @throws {Failure} there is none; with the word `brokenOnTheWay` when a connection stood, and broke before the hub could speak.
 */
export type Dial = (
  address: string,
  identity: Identity,
  how: { transport: Transport; signal: AbortSignal },
) => Dialled | Promise<Dialled>;

/** How long TLS and a WebSocket may take to come about when nothing else is said, in milliseconds. */
const usualOpenMs = 10_000;
/** How long a last word may take to leave when the daemon stops, in milliseconds. */
const lastWordMs = 500;

const codec = {
  decode: (bytes: Uint8Array) => fromBinary(HubFrameSchema, bytes),
  encode: (frame: NodeFrame) => toBinary(NodeFrameSchema, frame),
};

/** Dials through the proxy where one is named: a connection of its own for each attempt, which ends with it. */
export function dialBy(names: ProxyNames, { openMs = usualOpenMs } = {}): Dial {
  const known = resolver();
  return async (address, identity, { transport, signal }) => {
    await using opened = new AsyncDisposableStack();
    const way = await openWay(address, names, signal, known);
    opened.defer(() => void way.socket.destroy());
    const stop = AbortSignal.any([signal, AbortSignal.timeout(openMs)]);
    const cut = () => void way.socket.destroy();
    stop.addEventListener("abort", cut, { once: true });
    let stream: Duplex;
    try {
      const connection = await secure(way.socket, address, identity, transport);
      opened.defer(() => void connection.destroy());
      stream =
        transport === "grpc"
          ? grpcStream(connection, { host: address, path: linePath }, codec)
          : await webSocket(connection, address, stop);
      stream.on("error", () => {}); // Whoever reads it hears of it; without any listener the process would end.
      opened.defer(() => leave(stream));
    } catch (thrown) {
      signal.throwIfAborted();
      throw unheard(stop.aborted ? `no answer within ${openMs / 1000} s` : thrown, address);
    } finally {
      stop.removeEventListener("abort", cut);
    }
    const owned = opened.move();
    return { stream, proxy: way.proxy, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  };
}

function secure(way: Socket, address: string, identity: Identity, transport: Transport): Promise<TLSSocket> {
  const { caPem, keyPem, certificatePem } = identity;
  return secured(way, {
    rootsPem: caPem,
    host: hostOf(address),
    earliest: new X509Certificate(certificatePem).validFromDate.getTime(),
    own: { keyPem, certificatePem },
    protocols: [transport === "grpc" ? "h2" : "http/1.1"],
  });
}

/** See `websocket.ts`, which is loaded when it is needed. */
async function webSocket(connection: TLSSocket, address: string, signal: AbortSignal): Promise<Duplex> {
  const { webSocketOn } = await import("../../wire/websocket.ts");
  return await webSocketOn(connection, address, codec, signal);
}

function unheard(thrown: unknown, address: string): Failure {
  if (thrown instanceof Failure && thrown.kind === "denied") return thrown;
  const code = systemCode(thrown);
  // What TLS itself says is the hub's word, but for one who does not know the protocol that is asked for.
  const isSaid = code.startsWith("ERR_SSL_") && !code.endsWith("NO_APPLICATION_PROTOCOL");
  return failure(
    "unavailable",
    `the connection to ${address} broke before the hub was heard: ${errorChain(thrown)}`,
    {
      cause: thrown,
      ...(!isSaid && { word: brokenOnTheWay }),
    },
  );
}

/** A stream that was ended in order may say its last word. */
async function leave(stream: Duplex): Promise<void> {
  if (stream.writableEnded && !stream.destroyed) {
    const left = once(stream, "close").catch(() => {});
    await Promise.race([left, sleep(lastWordMs, undefined, { ref: false })]);
  }
  stream.destroy();
}
