/**
 * The baseline of the hub: grpc-js alone, which says Welcome to every Hello and a beat to every beat, and knows nobody. Argument:
 * folder of the authority. Prints its port.
 */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { handleBidiStreamingCall } from "@grpc/grpc-js";
import { type HubFrame, HubFrameSchema, type NodeFrame } from "../gen/edge/v1/control_pb.ts";
import { openAuthority } from "../src/hub/enrolment/index.ts";
import { serveControl } from "../test/fakes/hub.ts";

const [folder = ""] = process.argv.slice(2);
const authority = await openAuthority({ folder, trustDomain: "", now: Date.now });

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
const { port } = await serveControl(connect, authority, "localhost");
process.stdout.write(`${port}\n`);
