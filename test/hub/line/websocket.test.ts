/** Nodes that come by WebSocket, good ones and others. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WebSocket } from "ws";
import { HubFrameSchema, NodeFrameSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { Identity, Sent } from "../../fakes/node.ts";
import { type Hub, startHub } from "./hub.ts";

async function dial(hub: Hub, { keyPem, certificatePem }: Identity): Promise<TLSSocket> {
  const socket = connect({
    ...{ port: hub.line.port, host: "127.0.0.1", servername: "localhost", ALPNProtocols: ["http/1.1"] },
    ...{ ca: hub.authority.rootPem, key: keyPem, cert: certificatePem },
  });
  await once(socket, "secureConnect");
  return socket;
}

/** A node whose hello was answered. */
async function welcomed(hub: Hub, nodeId: string): Promise<WebSocket> {
  const connection = await dial(hub, await hub.enrol(nodeId));
  const socket = new WebSocket("ws://localhost/edge.v1.Control/Connect", {
    createConnection: () => connection,
  });
  await once(socket, "open");
  const value = { protocolMin: 1, protocolMax: 1, sessionEpoch: 1n, journalId: "j1", instanceId: "i1" };
  socket.send(frame({ case: "hello", value }));
  const [answer] = (await once(socket, "message")) as [Buffer];
  assert.equal(fromBinary(HubFrameSchema, answer).body.case, "welcome");
  return socket;
}

const frame = (body: Sent) => toBinary(NodeFrameSchema, create(NodeFrameSchema, { body }));

const closed = async (socket: WebSocket) => {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return `${code} ${reason}`;
};

test("a WebSocket that breaks a rule is closed with the number of its failure, and harms nobody", async () => {
  await using hub = await startHub();
  const good = await welcomed(hub, "n-good");

  const text = await welcomed(hub, "n-text");
  text.send("hello");
  assert.match(await closed(text), /^4003 a message came that is no frame: it is text$/);

  const large = await welcomed(hub, "n-large");
  large.send(frame({ case: "bye", value: { reason: "x".repeat(1 << 20) } }));
  assert.match(await closed(large), /^4008 a frame of \d+ bytes came; at most 1048576 are allowed$/);

  const garbage = await welcomed(hub, "n-garbage");
  garbage.send(Buffer.alloc(64, 255));
  assert.match(await closed(garbage), /^4003 a message came that is no frame: /);

  const over = closed(good);
  const again = await welcomed(hub, "n-good");
  assert.match(await over, /^1000 /);
  again.close();

  const lost = await dial(hub, await hub.enrol("n-lost"));
  lost.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const [said] = (await once(lost, "data")) as [Buffer];
  assert.match(said.toString(), /^HTTP\/1\.1 426 /);
  lost.destroy();
});
