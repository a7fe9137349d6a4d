/**
 * The baseline of the hub: grpc-js alone, which says Welcome to every Hello and a beat to every beat, and knows nobody. Argument:
 * folder of the authority. Prints its port.
 */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type handleBidiStreamingCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { Control, type HubFrame, HubFrameSchema, type NodeFrame } from "../gen/edge/v1/control_pb.ts";
import { openAuthority } from "../src/hub/enrolment/index.ts";
import { issueServer } from "../src/hub/enrolment/issue.ts";
import { grpcService } from "../src/wire/grpc.ts";

const [folder = ""] = process.argv.slice(2);
const authority = await openAuthority({ folder, trustDomain: "", now: Date.now });
const own = await issueServer(authority, { names: ["localhost"], at: Date.now(), validMs: 3_600_000 });

const connect: handleBidiStreamingCall<NodeFrame, HubFrame> = (call) => {
  const say = (body: HubFrame["body"]) => call.write(create(HubFrameSchema, { body }));
  call.on("data", ({ body }: NodeFrame) => {
    const now = timestampFromMs(Date.now());
    const { body: welcome } = create(HubFrameSchema, {
      body: { case: "welcome", value: { leaseMs: 15_000, beatIntervalMs: 5_000, serverTime: now } },
    });
    const { body: beat } = create(HubFrameSchema, { body: { case: "beat", value: { serverTime: now } } });
    if (body.case === "hello") say(welcome);
    else if (body.case === "beat") say(beat);
  });
  call.on("error", () => {});
};
const server = new Server();
server.addService(grpcService(Control), { connect });
const pair = {
  private_key: Buffer.from(own.keyPem),
  cert_chain: Buffer.from(own.certificatePem + authority.rootPem),
};
const credentials = ServerCredentials.createSsl(Buffer.from(authority.rootPem), [pair], true);
server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});
