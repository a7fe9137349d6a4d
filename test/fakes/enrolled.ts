import { readFileSync } from "node:fs";
import { Enrolment } from "../../gen/edge/v1/enrolment_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { newKeyPem, signingRequest } from "../../src/daemon/identity/request.ts";
import { readToken } from "../../src/wire/token.ts";
import type { TestHub } from "../fixtures/hub.ts";
import { type DialOptions, FakeNode } from "./node.ts";

/** A node that a whole hub let in, and that has not dialled yet. */
export async function enrolFake(hub: TestHub, hostName = "edge", withToken?: string) {
  const token = withToken ?? (await hub.client(Fleet).createEnrolmentToken({})).token;
  const { id: tokenId, secret: tokenSecret } = readToken(token);
  const keyPem = await newKeyPem();
  const csrDer = signingRequest(keyPem, hostName);
  const enrolled = await hub.client(Enrolment, "").enroll({ tokenId, tokenSecret, csrDer, hostName });
  const identity = { ...enrolled, keyPem, serial: "", expiresAt: 0 };
  const port = Number(hub.line.split(":")[1]);
  const options = { port, rootPem: readFileSync(hub.caFile, "utf8"), identity };
  return {
    id: enrolled.nodeId,
    /** Dials, says hello and waits for the welcome. */
    async dial(): Promise<FakeNode> {
      const node = FakeNode.dial(options);
      node.hello({ hostName });
      await node.next("welcome");
      return node;
    },
    /** Dials, and gives every frame of the hub to `onFrame`. */
    dialWith(onFrame: NonNullable<DialOptions["onFrame"]>): FakeNode {
      const node = FakeNode.dial({ ...options, onFrame });
      node.hello({ hostName });
      return node;
    },
  };
}
