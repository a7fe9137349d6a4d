import { generateKeyPairSync } from "node:crypto";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { LookupFunction } from "node:net";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type HelloSchema,
  type HubFrame,
  HubFrameSchema,
  type NodeFrameSchema,
  NodeFrameSchema as nodeFrame,
} from "../../gen/edge/v1/control_pb.ts";
import type { Authority } from "../../src/hub/enrolment/index.ts";
import { issueNode } from "../../src/hub/enrolment/issue.ts";

/** What a node has after its enrolment. */
export interface Identity {
  nodeId: string;
  keyPem: string;
  certificatePem: string;
  serial: string;
  expiresAt: number;
}

/** An identity as the hub would issue it. `keys` may be shared by a fleet of fakes: making them costs the most. */
export async function newIdentity(
  authority: Authority,
  nodeId: string,
  keys = generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
  { at = Date.now(), validMs = 3_600_000 } = {},
): Promise<Identity> {
  const publicKey = keys.publicKey.export({ format: "der", type: "spki" });
  const issued = await issueNode(authority, { id: nodeId, publicKey, at, validMs });
  return { nodeId, keyPem: String(keys.privateKey.export({ format: "pem", type: "pkcs8" })), ...issued };
}

export interface DialOptions {
  /** Where the hub is: this machine, if nothing else is given. */
  host?: string;
  port: number;
  /** Address to dial from, for fleets that need more ports than one address has. */
  from?: string | undefined;
  rootPem: string;
  identity: Pick<Identity, "nodeId" | "keyPem" | "certificatePem">;
  /** Gets every frame instead of the inbox, for fleets of fakes. */
  onFrame?: (frame: HubFrame) => void;
}

/** Both shapes of the callback: node asks for all addresses when it may race them. */
const toLoopback: LookupFunction = (_host, options, done) =>
  options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);

type Body = HubFrame["body"];
type Case = NonNullable<Body["case"]>;
type ValueOf<C extends Case> = Extract<Body, { case: C }>["value"];
export type Sent = NonNullable<MessageInitShape<typeof NodeFrameSchema>["body"]>;
export type HelloInit = MessageInitShape<typeof HelloSchema>;

/** How the hub ended a stream: gRPC's status, or -1 when the connection broke first. */
export interface End {
  code: number;
  message: string;
}

const patienceMs = 30_000;

/**
 * A node that does what a test or a bench tells it, over a real connection. It speaks HTTP/2 and gRPC's framing itself: that
 * costs half the memory of a gRPC client, and shows that no library is needed.
 */
export class FakeNode implements Disposable {
  readonly nodeId: string;
  /** Resolves when the stream is over. */
  readonly ended: Promise<End>;
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #inbox: HubFrame[] = [];
  readonly #onFrame: ((frame: HubFrame) => void) | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;

  private constructor({ host, port, from, rootPem, identity, onFrame }: DialOptions) {
    this.nodeId = identity.nodeId;
    this.#onFrame = onFrame;
    this.#session = connect(`https://${host ?? "localhost"}:${port}`, {
      ca: rootPem,
      key: identity.keyPem,
      cert: identity.certificatePem,
      ...(from !== undefined && { localAddress: from }),
      ...(host === undefined && { lookup: toLoopback }),
    });
    this.#session.on("error", () => {});
    this.#stream = this.#session.request({
      ":method": "POST",
      ":path": "/edge.v1.Control/Connect",
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.ended = this.#untilEnd();
    this.#stream.on("data", (chunk: Buffer) => this.#onData(chunk));
  }

  /** Dials. What is sent before the connection is there waits for it. */
  static dial(options: DialOptions): FakeNode {
    return new FakeNode(options);
  }

  /** Sends one frame. */
  send(body: Sent): void {
    this.sendBytes(toBinary(nodeFrame, create(nodeFrame, { body })));
  }

  /** Sends one message that may be no frame at all. */
  sendBytes(message: Uint8Array): void {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.#stream.write(Buffer.concat([head, message]));
  }

  /** Says hello as a node that is connected for the first time, except for what is given. */
  hello(more: HelloInit = {}): void {
    const value = {
      protocolMin: 1,
      protocolMax: 1,
      sessionEpoch: 1n,
      journalId: "j1",
      instanceId: "i1",
      ...more,
    };
    this.send({ case: "hello", value });
  }

  /** The next frame of this kind. Those of other kinds stay. @throws {Error} when the stream ends first. */
  async next<C extends Case>(kind: C): Promise<ValueOf<C>> {
    const deadline = AbortSignal.timeout(patienceMs);
    let end: End | undefined;
    void this.ended.then((ended) => {
      end = ended;
      this.#wake?.();
    });
    for (;;) {
      const at = this.#inbox.findIndex(({ body }) => body.case === kind);
      const [frame] = at < 0 ? [] : this.#inbox.splice(at, 1);
      if (frame) return frame.body.value as ValueOf<C>; // Its case was just compared.
      if (end || deadline.aborted) {
        throw new Error(
          `no ${kind} came; there is ${this.#kinds()}; ${end ? `ended: ${end.message}` : "still open"}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        deadline.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** How many frames of this kind are here and were not taken. */
  count(kind: Case): number {
    return this.#inbox.filter(({ body }) => body.case === kind).length;
  }

  /** Closes the stream on purpose, as a node that stops. */
  async close(): Promise<void> {
    this.#stream.end();
    await this.ended;
    this.#session.close();
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }

  #kinds(): string {
    return this.#inbox.map(({ body }) => body.case).join(", ") || "nothing";
  }

  #untilEnd(): Promise<End> {
    return new Promise((resolve) => {
      let end: End = { code: -1, message: "the connection broke" };
      const note = (headers: Record<string, unknown>) => {
        if (headers["grpc-status"] === undefined) return;
        end = {
          code: Number(headers["grpc-status"]),
          message: decodeURI(String(headers["grpc-message"] ?? "")),
        };
      };
      this.#stream.on("response", note);
      this.#stream.on("trailers", note);
      this.#stream.on("error", (error: Error) => {
        if (end.code === -1) end = { code: -1, message: error.message };
      });
      // As every gRPC client does: when the status is here, the call is over, whatever was still to be sent.
      this.#stream.on("end", () => this.#stream.close());
      this.#stream.on("close", () => resolve(end));
    });
  }

  #onData(chunk: Buffer): void {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (rest.length >= 5) {
      const size = rest.readUInt32BE(1);
      if (rest.length < 5 + size) break;
      const frame = fromBinary(HubFrameSchema, rest.subarray(5, 5 + size));
      rest = rest.subarray(5 + size);
      if (this.#onFrame) this.#onFrame(frame);
      else this.#inbox.push(frame);
    }
    this.#rest = rest;
    this.#wake?.();
  }
}
