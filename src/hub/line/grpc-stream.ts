import { EventEmitter } from "node:events";
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import { failure } from "../../base/failure.ts";
import type { Codec } from "../../wire/codec.ts";
import { statusDetailsKey, toStatusDetails } from "../../wire/failures.ts";
import { framed, Unframing } from "../../wire/grpc-messages.ts";

/** Streams that one connection may have at once: a node has one, and for a moment two. */
const maxConcurrentStreams = 8;

/** How long the other side may take to leave when it was told the status, in milliseconds. */
const leaveMs = 1_000;

/** A header of every answer. */
const answer = { "content-type": "application/grpc", "grpc-accept-encoding": "identity" };

/**
 * Serves one streaming method of gRPC on each connection that is handed to it. A connection that has no stream for `idleMs` is
 * destroyed.
 */
export function grpcStreams<In, Out>(
  path: string,
  codec: Codec<In, Out>,
  { idleMs }: { idleMs: number },
): (connection: TLSSocket, onStream: (stream: GrpcStream<In, Out>) => void) => void {
  return (connection, onStream) => {
    const session = performServerHandshake(connection, { settings: { maxConcurrentStreams } });
    // A connection without a stream is a mistake or an attack.
    const waited = () => setTimeout(() => connection.destroy(), idleMs).unref();
    let idle = waited();
    let open = 0;
    session.on("error", () => {}); // It ends with its connection, or the connection with it; whoever has a stream hears of that.
    session.on("close", () => clearTimeout(idle));
    session.on("stream", (http, headers) => {
      clearTimeout(idle);
      open++;
      http.on("error", () => {}); // "close" comes, too.
      http.on("close", () => {
        if (--open === 0 && !session.destroyed) idle = waited();
      });
      if (!String(headers["content-type"]).startsWith("application/grpc")) {
        http.respond({ ":status": 415 }, { endStream: true });
      } else if (headers[":path"] !== path) {
        const why = failure("unsupported", `there is no ${headers[":path"]} here, only ${path}`);
        http.respond({ ":status": 200, ...answer, ...statusOf(why) }, { endStream: true });
      } else onStream(new GrpcStream(http, headers, codec));
    });
  };
}

/**
 * One call: `data` for each message, `end` when the other side has said all, `cancelled` when it is gone, `drain` when it takes more. An
 * error that is emitted on it ends it with its status.
 */
export class GrpcStream<In, Out> extends EventEmitter {
  readonly #http: ServerHttp2Stream;
  readonly #codec: Codec<In, Out>;
  readonly #unframing = new Unframing();
  #isPaused = false;
  #hasAll = false;
  /** The status is on its way, or the other side is gone. */
  #isOver = false;

  constructor(http: ServerHttp2Stream, headers: IncomingHttpHeaders, codec: Codec<In, Out>) {
    super();
    this.#http = http;
    this.#codec = codec;
    this.on("error", (error) => this.#finish(error));
    this.#limit(headers["grpc-timeout"]);
    http.respond({ ":status": 200, ...answer }, { waitForTrailers: true });
    http.on("data", (chunk: Buffer) => {
      this.#unframing.add(chunk);
      this.#give();
    });
    http.on("end", () => {
      this.#hasAll = true;
      this.#give();
    });
    http.on("drain", () => this.emit("drain"));
    http.on("close", () => {
      this.#isOver = true;
      this.emit("cancelled");
    });
  }

  /** False when the other side is to take it before more is written. */
  write(message: Out): boolean {
    return this.#isOver || this.#http.write(framed(this.#codec.encode(message)));
  }

  /** Ends it well. */
  end(): void {
    this.#finish();
  }

  pause(): void {
    this.#isPaused = true;
    this.#http.pause();
  }

  /** What is here already is given in the next turn. */
  resume(): void {
    this.#isPaused = false;
    this.#http.resume();
    process.nextTick(() => this.#give());
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  #give(): void {
    try {
      while (!this.#isPaused && !this.#isOver) {
        const message = this.#unframing.next();
        if (message) this.emit("data", this.#decoded(message));
        else if (this.#hasAll) {
          this.#hasAll = false;
          this.emit("end");
        } else return;
      }
    } catch (thrown) {
      this.emit("error", thrown);
    }
  }

  #decoded(message: Uint8Array): In {
    try {
      return this.#codec.decode(message);
    } catch (cause) {
      throw failure("invalid", "a message came that is no frame", { cause });
    }
  }

  #finish(thrown?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const http = this.#http;
    http.on("wantTrailers", () => http.sendTrailers(statusOf(thrown)));
    http.end();
    http.resume(); // What still comes, nobody wants.
    const late = setTimeout(() => http.close(constants.NGHTTP2_CANCEL), leaveMs).unref();
    http.on("close", () => clearTimeout(late));
  }

  /** The time that the caller gives. */
  #limit(said: string | string[] | undefined): void {
    const ms = timeoutMs(String(said));
    if (ms === undefined) return;
    const late = setTimeout(
      () => this.emit("error", failure("deadline", "the call's time is over")),
      ms,
    ).unref();
    this.#http.on("close", () => clearTimeout(late));
  }
}

/** Trailers that tell how a call ended. */
function statusOf(thrown: unknown): OutgoingHttpHeaders {
  if (thrown === undefined) return { "grpc-status": 0 };
  const { code, message, details } = toStatusDetails(thrown);
  return {
    "grpc-status": code,
    "grpc-message": encodeURI(message.toWellFormed()),
    [statusDetailsKey]: Buffer.from(details).toString("base64"),
  };
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** What `grpc-timeout` says; undefined when that is nothing, or longer than a timer of Node waits. */
function timeoutMs(said: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(said) ?? [];
  const ms = Number(digits) * (unitMs[unit] ?? Number.NaN);
  return ms < 2 ** 31 ? ms : undefined;
}
