/**
 * The floor under a hub: TLS and HTTP/2 of Node with certificates on both sides, and nothing of ours while it runs. It answers the
 * first frame of a stream with one as long as Welcome, and says one as long as a beat at an interval. Arguments: folder of the
 * authority, port (0 for any). Prints its port. Its parent may send `{ beatMs }`.
 */
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { HubFrameSchema } from "../gen/edge/v1/control_pb.ts";
import { openAuthority } from "../src/hub/enrolment/index.ts";
import { issueServer } from "../src/hub/enrolment/issue.ts";
import { framed } from "../src/wire/grpc-messages.ts";

const [folder = "", port = "0"] = process.argv.slice(2);
const authority = await openAuthority({ folder, trustDomain: "", now: Date.now });
const own = await issueServer(authority, { names: ["localhost"], at: Date.now(), validMs: 3_600_000 });

const serverTime = timestampFromMs(Date.now());
const welcome = messageOf({
  case: "welcome",
  value: {
    ...{ sessionId: `session-${crypto.randomUUID()}`, protocol: 1, leaseMs: 15_000, beatIntervalMs: 5_000 },
    ...{ serverTime, commandWindow: 64, maxFrameBytes: 1 << 20, nodeId: "n-fleet-1000" },
    ...{ renewsCertificates: true, reportsThrough: 1n },
  },
});
const beat = messageOf({ case: "beat", value: { serverTime } });

const beatsAt = new Map<ServerHttp2Stream, number>();
let beatMs = 5_000;
process.on("message", (told: { beatMs: number }) => {
  beatMs = told.beatMs;
});
setInterval(() => {
  const now = performance.now();
  for (const [stream, at] of beatsAt) {
    if (now < at) continue;
    beatsAt.set(stream, now + beatMs);
    stream.write(beat);
  }
}, 1000);

const server = createSecureServer({
  ...{ key: own.keyPem, cert: own.certificatePem + authority.rootPem, ca: authority.rootPem },
  ...{ requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" as const },
});
server.on("sessionError", () => {});
server.on("stream", (stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" });
  stream.on("error", () => {});
  stream.on("close", () => beatsAt.delete(stream));
  stream.on("data", () => {
    if (beatsAt.has(stream)) return;
    beatsAt.set(stream, performance.now() + beatMs);
    stream.write(welcome);
  });
});
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`); // It listens on TCP.
});

/** A message of gRPC with this frame. */
function messageOf(body: NonNullable<MessageInitShape<typeof HubFrameSchema>["body"]>): Buffer {
  return framed(toBinary(HubFrameSchema, create(HubFrameSchema, { body })));
}
