/** A hub whose every word a test says: real gRPC, real mTLS, no logic. */
import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type handleBidiStreamingCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from "@grpc/grpc-js";
import {
  Control,
  type Hello,
  type HubFrame,
  HubFrameSchema,
  type NodeFrame,
  type WelcomeSchema,
} from "../../gen/edge/v1/control_pb.ts";
import type { Identity } from "../../src/daemon/identity/index.ts";
import { type Authority, openAuthority } from "../../src/hub/enrolment/index.ts";
import { issueNode, issueServer } from "../../src/hub/enrolment/issue.ts";
import { requestedKey } from "../../src/hub/enrolment/request.ts";
import { grpcService } from "../../src/wire/grpc.ts";
import { newIdentity } from "./node.ts";

type Body<F extends NodeFrame | HubFrame> = F["body"];
type NodeCase = NonNullable<Body<NodeFrame>["case"]>;
type NodeValue<C extends NodeCase> = Extract<Body<NodeFrame>, { case: C }>["value"];
type HubBody = NonNullable<MessageInitShape<typeof HubFrameSchema>["body"]>;

/** How long a test waits for a frame, in milliseconds. */
const patienceMs = 30_000;

/** One stream of a node, from the hub's side. */
export interface HubStream {
  say(body: HubBody): void;
  /** The next frame of this case; frames of other cases are passed over and stay in `heard`. */
  expect<C extends NodeCase>(name: C): Promise<NodeValue<C>>;
  /** Reads Hello and answers it with Welcome. */
  welcome(init?: MessageInitShape<typeof WelcomeSchema>): Promise<Hello>;
  readonly heard: NodeFrame[];
  /** Of the certificate that the node has shown. */
  readonly certificateSerial: string;
  /** Ends the stream in order. */
  end(): void;
  /** Breaks the stream off. */
  destroy(): void;
  /** Resolves when the node has ended it. */
  ended: Promise<void>;
}

export interface FakeHub extends AsyncDisposable {
  address: string;
  /** Of a node that this hub lets in. */
  identity: Identity;
  /** The next stream that a node opens. */
  nextStream(): Promise<HubStream>;
  /** Streams opened so far. */
  readonly streams: number;
  /** A certificate for the key of a signing request, as PEM. */
  issue(csrDer: Uint8Array, nodeId?: string): Promise<string>;
}

/** `ageMs`: how old the hour is for which the identity's certificate is good. */
export async function startFakeHub(folder: string, { ageMs = 0 } = {}): Promise<FakeHub> {
  const at = Date.now();
  const validMs = 3_600_000;
  const authority = await openAuthority({ folder, trustDomain: "", now: () => at });
  const { nodeId, keyPem, certificatePem } = await newIdentity(authority, "n-test", undefined, {
    at: at - ageMs,
    validMs,
  });

  const waiting: HubStream[] = [];
  let wake = () => {};
  let streams = 0;
  const connect: handleBidiStreamingCall<NodeFrame, HubFrame> = (call) => {
    streams++;
    waiting.push(openStream(call));
    wake();
  };
  const { server, port } = await serveControl(connect, authority, "127.0.0.1");
  const address = `127.0.0.1:${port}`;
  return {
    address,
    identity: { nodeId, keyPem, certificatePem, caPem: authority.rootPem, lineAddresses: [address] },
    async nextStream() {
      for (;;) {
        const stream = waiting.shift();
        if (stream) return stream;
        const opened = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await within(opened, "the node opens a stream");
      }
    },
    get streams() {
      return streams;
    },
    async issue(csrDer, id = "n-test") {
      const { publicKey } = await requestedKey(csrDer);
      return (await issueNode(authority, { id, publicKey, at: Date.now(), validMs })).certificatePem;
    },
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

/** Serves the line with grpc-js alone, on a port of the system's choice: certificates on both sides, the hub's for `name`. */
export async function serveControl(
  connect: handleBidiStreamingCall<NodeFrame, HubFrame>,
  authority: Authority,
  name: string,
): Promise<{ server: Server; port: number }> {
  const own = await issueServer(authority, { names: [name], at: Date.now(), validMs: 3_600_000 });
  const server = new Server();
  server.addService(grpcService(Control), { connect });
  const pair = {
    private_key: Buffer.from(own.keyPem),
    cert_chain: Buffer.from(own.certificatePem + authority.rootPem),
  };
  const credentials = ServerCredentials.createSsl(Buffer.from(authority.rootPem), [pair], true);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { server, port };
}

function openStream(call: ServerDuplexStream<NodeFrame, HubFrame>): HubStream {
  const heard: NodeFrame[] = [];
  const unread: NodeFrame[] = [];
  let wake = () => {};
  call.on("data", (frame: NodeFrame) => {
    heard.push(frame);
    unread.push(frame);
    wake();
  });
  call.on("error", () => {});
  const ended = new Promise<void>((resolve) => {
    call.on("end", () => {
      call.end();
      resolve();
    });
    call.on("cancelled", resolve);
  });
  const stream: HubStream = {
    heard,
    ended,
    certificateSerial: call.getAuthContext().sslPeerCertificate?.serialNumber ?? "",
    say: (body) => void call.write(create(HubFrameSchema, { body })),
    async expect(name) {
      for (;;) {
        const frame = unread.shift();
        // The case was compared: its value is of that case.
        if (frame?.body.case === name) return frame.body.value as NodeValue<typeof name>;
        if (frame) continue;
        const came = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await within(came, `the node says ${name}`);
      }
    },
    async welcome(init = {}) {
      const hello = await stream.expect("hello");
      const serverTime = timestampFromMs(Date.now());
      const usual = {
        sessionId: randomUUID(),
        protocol: 1,
        leaseMs: 15_000,
        beatIntervalMs: 5_000,
        serverTime,
      };
      stream.say({ case: "welcome", value: { ...usual, ...init } });
      return hello;
    },
    end: () => call.end(),
    destroy: () => void call.emit("error", { code: status.UNAVAILABLE, details: "broken off" }),
  };
  return stream;
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`waited ${patienceMs} ms until ${what}`)), patienceMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
