/** The room with a runtime of the test's own behind it: real sockets, real TLS, real SQLite. */
import { once } from "node:events";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { CertificateChangeKind, type Event } from "../../../gen/edge/v1/events_pb.ts";
import { InvokeRuntimeRequestSchema, InvokeScheme } from "../../../gen/edge/v1/invoke_pb.ts";
import { RuntimePhase, RuntimeSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { newId } from "../../../src/base/ids.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Invoke, schema } from "../../../src/daemon/invoke/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { validate } from "../../../src/wire/validation.ts";

type Asks = Exclude<MessageInitShape<typeof InvokeRuntimeRequestSchema>, { $typeName: string }>;

/** A life of the room on the state in a folder. `runtime` can be changed by the test. */
export function openRoom(folder: string, allow: readonly string[] = ["*:/*"]) {
  const sql = Sql.open(join(folder, "daemon.db"), [journalSchema, schema], () => Date.now());
  const journal = Journal.open(sql, { now: () => Date.now() });
  const runtime = create(RuntimeSchema, {
    spec: { name: "plc1", image: "none:1", ports: [{ nodePort: 18080, runtimePort: 8080 }] },
    phase: RuntimePhase.RUNNING,
    addresses: [{ network: "bridge", address: "127.0.0.1" }],
    createdAt: timestampFromMs(1_000),
  });
  const room = Invoke.open({
    ...{ sql, journal, allow },
    runtimes: {
      has: (name) => name === "plc1",
      get: (name) =>
        name === "plc1"
          ? Promise.resolve(runtime)
          : Promise.reject(failure("not_found", `no runtime ${name}`)),
    },
  });
  const events = (): Event[] =>
    journal.read(0, 1000).flatMap(({ entry }) => (entry.case === "event" ? entry.value : []));
  return {
    runtime,
    /** Asks the runtime, by default for / over plain HTTP. */
    send(asks: Asks, { id = newId("cmd"), signal = AbortSignal.timeout(30_000) } = {}) {
      const init = { runtime: "plc1", method: "GET", path: "/", scheme: InvokeScheme.HTTP, ...asks };
      const request = create(InvokeRuntimeRequestSchema, init);
      validate(InvokeRuntimeRequestSchema, request);
      return room.send(request, { id, signal, progress: () => {} });
    },
    /** What was recorded of certificates, as words. */
    changes: () =>
      events().flatMap(({ fact }) => (fact.case === "certificate" ? (kindNames[fact.value.kind] ?? "") : [])),
    /** Ends it as a crash would. */
    [Symbol.dispose]() {
      room[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

const kindNames = Object.fromEntries(
  Object.entries(CertificateChangeKind).map(([name, kind]) => [kind, name]),
);

export interface Upstream extends AsyncDisposable {
  port: number;
  connections: number;
}

/** An HTTP server; with a certificate, an HTTPS server. */
export async function serve(
  answer: RequestListener,
  { port = 0, certificate }: { port?: number; certificate?: { key: string; cert: string } } = {},
): Promise<Upstream> {
  return await listen(certificate ? createHttps(certificate, answer) : createHttp(answer), port);
}

/** A server that does with a connection whatever the test says. */
export async function serveRaw(talk: (socket: Socket) => void): Promise<Upstream> {
  return await listen(createServer(talk), 0);
}

async function listen(server: Server, port: number): Promise<Upstream> {
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    upstream.connections++;
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const upstream: Upstream = {
    port: (server.address() as AddressInfo).port, // It listens on TCP.
    connections: 0,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
  return upstream;
}
