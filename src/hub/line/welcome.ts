import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Welcome, WelcomeSchema } from "../../../gen/edge/v1/control_pb.ts";
import { newId } from "../../base/ids.ts";
import { commandWindow, maxFrameBytes } from "../../wire/limits.ts";

/** What a welcome says of one node, beside what it says to each. */
export interface Greeting {
  nodeId: string;
  protocol: number;
  rhythm: { beatMs: number; leaseMs: number };
  /** Up to where the hub has the node's reports. */
  through: number;
  renewsCertificates: boolean;
  /** Wall time of the hub, in milliseconds. */
  now: number;
}

/** The answer to a hello that lets its node in. */
export function welcomeOf({ nodeId, protocol, rhythm, through, renewsCertificates, now }: Greeting): Welcome {
  return create(WelcomeSchema, {
    sessionId: newId("session"),
    protocol,
    leaseMs: rhythm.leaseMs,
    beatIntervalMs: rhythm.beatMs,
    serverTime: timestampFromMs(now),
    reportsThrough: BigInt(through),
    commandWindow,
    maxFrameBytes,
    nodeId,
    renewsCertificates,
  });
}
