import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ListRuntimesResponseSchema, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { fromConnectError } from "../../src/wire/failures.ts";
import { framed } from "../../src/wire/grpc-messages.ts";
import { Sessions } from "../../src/wire/sessions.ts";
import { tempFolder } from "../fixtures/folder.ts";

test("an answer that comes in one piece, headers to trailers, is whole", async (t) => {
  const message = toBinary(ListRuntimesResponseSchema, create(ListRuntimesResponseSchema));
  const answers = createHttp2Server((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "application/grpc+proto" });
      response.addTrailers({ "grpc-status": "0" });
      response.end(framed(message));
    });
  });
  const door = inOnePiece(await portOf(answers));
  const url = "http://localhost";
  const port = await portOf(door);
  const sessionManager = new Sessions(url, {}, { createConnection: () => byHand(port) });
  t.after(() => {
    sessionManager.abort();
    answers.close();
    door.close();
  });
  const client = createClient(Runtimes, createGrpcTransport({ baseUrl: url, sessionManager }));
  assert.deepEqual((await client.listRuntimes({})).runtimes, []);
});

test("a connection that breaks while the next one is dialled ends nothing else", async (t) => {
  const answers = createHttp2Server((_, response) => response.end());
  const sessions = new Sessions(`http://localhost:${await portOf(answers)}`, {}, {});
  t.after(() => {
    sessions.abort();
    answers.close();
  });
  const first = await sessions.request("POST", "/", {}, {});
  first.on("error", () => {});
  // Its error is told in the next turn, when the manager has let go of it.
  first.session?.destroy(new Error("the hub goes away"));
  const second = await sessions.request("POST", "/", {}, {});
  assert.notEqual(second.session, first.session);
  second.end();
  const [status] = (await once(second, "response")) as [{ ":status": number }];
  assert.equal(status[":status"], 200);
});

test("a call that meets a server's goodbye may be made again", async (t) => {
  const answers = createHttp2Server();
  // It knows of no stream yet, while the client opens its first.
  answers.on("session", (session) => session.goaway(0, 0));
  const url = `http://localhost:${await portOf(answers)}`;
  const sessionManager = new Sessions(url, {}, {});
  t.after(() => {
    sessionManager.abort();
    answers.close();
  });
  const client = createClient(Runtimes, createGrpcTransport({ baseUrl: url, sessionManager }));
  const thrown = await client.listRuntimes({}).catch((error: unknown) => error);
  const { kind, message } = fromConnectError(thrown);
  assert.equal(kind, "unavailable", String(thrown));
  assert.match(message, /is stopping.*try again/);
});

test("a call at a socket where nobody listens yet, or any more, may be made again", async (t) => {
  using folder = tempFolder();
  const path = join(folder.path, "none.sock");
  const sessionManager = new Sessions("http://localhost", {}, { createConnection: () => connect(path) });
  t.after(() => sessionManager.abort());
  const transport = createGrpcTransport({ baseUrl: "http://localhost", sessionManager });
  const thrown = await createClient(Runtimes, transport)
    .listRuntimes({})
    .catch((error: unknown) => error);
  assert.equal(fromConnectError(thrown).kind, "unavailable", String(thrown));
});

/** Passes on what comes back in pieces as large as can be, as a busy machine hands them to a caller. */
function inOnePiece(port: number): Server {
  return createServer((caller) => {
    const server = connect(port, "127.0.0.1");
    caller.pipe(server);
    const held: Buffer[] = [];
    server.on("data", (bytes: Buffer) => {
      if (held.push(bytes) === 1) setTimeout(() => caller.write(Buffer.concat(held.splice(0))), 50);
    });
    server.on("error", () => caller.destroy());
    caller.on("error", () => server.destroy());
  });
}

/** A connection whose bytes arrive through JavaScript: Node then parses a whole piece before it tells of any of it. */
function byHand(port: number): Duplex {
  const socket = connect(port, "127.0.0.1");
  return Duplex.from({ readable: socket, writable: socket });
}

async function portOf(server: Pick<Server, "listen" | "address" | "once">): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server as Server, "listening");
  return (server.address() as AddressInfo).port;
}
