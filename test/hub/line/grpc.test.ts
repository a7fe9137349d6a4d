/** The line as a client of another library meets it, and what is no line at all. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import {
  Control,
  type HubFrame,
  HubFrameSchema,
  type NodeFrame,
  NodeFrameSchema,
} from "../../../gen/edge/v1/control_pb.ts";
import { grpcMethod } from "../../../src/wire/grpc.ts";
import { framed, Unframing } from "../../../src/wire/grpc-messages.ts";
import type { Identity, Sent } from "../../fakes/node.ts";
import { type Hub, startHub } from "./hub.ts";

const { path } = grpcMethod(Control.method.connect);
const frame = (body: Sent) => create(NodeFrameSchema, { body });
const hello = frame({
  case: "hello",
  value: { protocolMin: 1, protocolMax: 1, sessionEpoch: 1n, journalId: "j1", instanceId: "i1" },
});

/** The line as a stream of grpc-js. */
function call(hub: Hub, { keyPem, certificatePem }: Identity, options: { deadline?: number } = {}) {
  const pems = [hub.authority.rootPem, keyPem, certificatePem].map((pem) => Buffer.from(pem)) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  const client = new Client(`localhost:${hub.line.port}`, credentials.createSsl(...pems));
  const stream = client.makeBidiStreamRequest<NodeFrame, HubFrame>(
    path,
    (message) => Buffer.from(toBinary(NodeFrameSchema, message)),
    (bytes) => fromBinary(HubFrameSchema, bytes),
    options,
  );
  const ended = new Promise<Partial<ServiceError>>((resolve) => {
    stream.on("error", () => {});
    stream.on("status", resolve);
  });
  return { stream, ended, [Symbol.dispose]: () => client.close() };
}

const next = async (stream: NodeJS.EventEmitter) => ((await once(stream, "data")) as [HubFrame])[0].body;

test("a client of grpc-js has its line, its deadline, and the status of its end", async () => {
  await using hub = await startHub({ beatMs: 2_000 });
  const identity = await hub.enrol("n-a");
  {
    using good = call(hub, identity);
    good.stream.write(hello);
    assert.equal((await next(good.stream)).case, "welcome");
    assert.equal((await next(good.stream)).case, "beat");
    good.stream.end();
    assert.equal((await good.ended).code, status.OK);
  }
  {
    using bad = call(hub, identity);
    bad.stream.write({
      ...hello,
      body: { case: "hello", value: { ...hello.body.value, sessionEpoch: 2n } },
    } as NodeFrame);
    await next(bad.stream);
    bad.stream.write(frame({ case: "bye", value: { reason: "100 % sünde".repeat(500) } }));
    const { code, details, metadata } = await bad.ended;
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.match(details ?? "", /^bye\.reason: is \d+ bytes long/);
    assert.equal(metadata?.get("grpc-status-details-bin").length, 1);
  }
  using late = call(hub, identity, { deadline: Date.now() + 300 });
  assert.equal((await late.ended).code, status.DEADLINE_EXCEEDED);
});

/** What a plain client of HTTP/2 is answered. */
async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Buffer) {
  const said = {
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  };
  const stream = session.request(said);
  const heard: IncomingHttpHeaders = {};
  for (const event of ["response", "trailers"]) stream.on(event, (some) => Object.assign(heard, some));
  stream.on("data", () => {});
  if (body) stream.end(body);
  await once(stream, "close");
  return {
    http: heard[":status"],
    status: heard["grpc-status"],
    message: decodeURI(String(heard["grpc-message"])),
  };
}

test("what is no line is refused as gRPC says, and harms no other call on its connection", async () => {
  await using hub = await startHub();
  const { keyPem: key, certificatePem: cert } = await hub.enrol("n-a");
  const session = connect(`https://localhost:${hub.line.port}`, { ca: hub.authority.rootPem, key, cert });
  const none = Buffer.alloc(0);
  const [html, other, compressed, endless, timed] = await Promise.all([
    ask(session, { "content-type": "text/html" }, none),
    ask(session, { ":path": "/edge.v1.Fleet/ListNodes" }, none),
    ask(session, {}, Buffer.from([1, 0, 0, 0, 0])),
    ask(session, {}, Buffer.from([0, 255, 255, 255, 255])),
    ask(session, { "grpc-timeout": "50m" }),
  ]);
  assert.equal(html.http, 415);
  assert.equal(other.status, "12", "UNIMPLEMENTED");
  assert.equal(compressed.status, "12");
  assert.equal(endless.status, "8", "RESOURCE_EXHAUSTED");
  assert.match(endless.message, /^a message of 4294967295 bytes came; at most 4194304 are taken$/);
  assert.equal(timed.status, "4", "DEADLINE_EXCEEDED");
  session.destroy();
});

test("messages are found in chunks of any size", () => {
  const sizes = [0, 1, 5, 300, 70_000];
  const bytes = Buffer.concat(sizes.map((size) => framed(Buffer.alloc(size, size))));
  for (const step of [1, 3, 4_096, bytes.length]) {
    const unframing = new Unframing();
    const found: number[] = [];
    for (let at = 0; at < bytes.length; at += step) {
      unframing.add(bytes.subarray(at, at + step));
      for (let one = unframing.next(); one; one = unframing.next()) found.push(one.length);
    }
    assert.deepEqual(found, sizes, `in steps of ${step}`);
  }
});
