import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { GetNodeResponseSchema, Node } from "../../../gen/edge/v1/node_pb.ts";
import { Runtimes, StopRuntimeResponseSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { openLocalDoor } from "../../../src/daemon/local/index.ts";
import { type Dispatch, Work, schema as workSchema } from "../../../src/daemon/work/index.ts";
import { fromConnectError } from "../../../src/wire/failures.ts";
import { unguarded } from "../../fakes/unguarded.ts";
import { flood } from "../../fixtures/flood.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { socketTransport } from "../../journeys/world.ts";

const run = promisify(execFile);
const buf = new URL("../../../node_modules/.bin/buf", import.meta.url).pathname;

/** A door to work that a test carries out. */
async function opened(handle: Dispatch) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempFolder());
  const sql = stack.use(Sql.open(join(folder.path, "daemon.db"), [journalSchema, workSchema], Date.now));
  const journal = Journal.open(sql, { now: Date.now });
  const log = openLog({ program: "test", level: "silent", format: "json" });
  const work = stack.use(
    new Work({ sql, journal, clock: systemClock, log, dispatch: handle, guard: unguarded }),
  );
  const path = join(folder.path, "daemon.sock");
  stack.use(await openLocalDoor({ path, work }));
  const owned = stack.move();
  return { path, work, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const answers: Dispatch = async ({ case: name }) => {
  if (name === "getNode") return { case: name, value: create(GetNodeResponseSchema, { nodeId: "n-1" }) };
  if (name === "stopRuntime") return { case: name, value: create(StopRuntimeResponseSchema) };
  throw failure("not_found", "there is no runtime plc1: list the runtimes to see their names");
};

describe("the local door", () => {
  it("lists its services by reflection and answers a call that was made from it", async () => {
    await using door = await opened(answers);
    const where = ["--unix-socket", door.path, "--protocol", "grpc", "--http2-prior-knowledge"];
    const { stdout: listed } = await run(buf, ["curl", ...where, "--list-services", "http://localhost"]);
    assert.deepEqual(listed.trim().split("\n"), [
      "edge.v1.Agents",
      "edge.v1.Audit",
      "edge.v1.Credentials",
      "edge.v1.Events",
      "edge.v1.Gateway",
      "edge.v1.Invoke",
      "edge.v1.Memory",
      "edge.v1.Node",
      "edge.v1.Policy",
      "edge.v1.Runtimes",
      "edge.v1.Sessions",
      "edge.v1.Tasks",
      "edge.v1.Topics",
      "edge.v1.Updates",
      "edge.v1.Wishes",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
    ]);
    const { stdout } = await run(buf, ["curl", ...where, "http://localhost/edge.v1.Node/GetNode"]);
    assert.equal(JSON.parse(stdout).nodeId, "n-1");
    const healthy = await run(buf, ["curl", ...where, "http://localhost/grpc.health.v1.Health/Check"]);
    assert.equal(JSON.parse(healthy.stdout).status, "SERVING");
  });

  it("refuses a request of 2 GiB before it is read", async () => {
    await using door = await opened(answers);
    const session = connectHttp2("http://localhost", { createConnection: () => connect(door.path) });
    const { sentBytes, status } = await flood(session, "/edge.v1.Invoke/InvokeRuntime");
    session.destroy();
    assert.equal(status, String(Code.ResourceExhausted));
    assert.ok(sentBytes < 16 << 20, `${sentBytes} bytes were taken`);
    const client = createClient(Node, socketTransport(door.path));
    assert.equal((await client.getNode({})).nodeId, "n-1", "and the next one is answered");
  });

  it("gives a failure with its kind and its sentence", async () => {
    await using door = await opened(answers);
    const client = createClient(Runtimes, socketTransport(door.path));
    await assert.rejects(client.getRuntime({ name: "plc1" }), (thrown: unknown) => {
      assert.equal(ConnectError.from(thrown).code, Code.NotFound);
      const told = fromConnectError(thrown);
      assert.equal(told.kind, "not_found");
      assert.equal(told.message, "there is no runtime plc1: list the runtimes to see their names");
      return true;
    });
  });

  it("carries out a command once, however often its id is sent", async () => {
    let done = 0;
    await using door = await opened(async (request, ask) => {
      done++;
      return answers(request, ask);
    });
    const client = createClient(Runtimes, socketTransport(door.path));
    const headers = { "edge-command-id": "once" };
    await client.stopRuntime({ name: "plc1" }, { headers });
    await client.stopRuntime({ name: "plc1" }, { headers });
    assert.equal(done, 1);
    await assert.rejects(client.stopRuntime({ name: "plc2" }, { headers }), /belongs to another command/);
  });

  it("takes a caller's deadline as the command's budget", async () => {
    const why = Promise.withResolvers<unknown>();
    await using door = await opened((_, { signal }) => {
      signal.addEventListener("abort", () => why.resolve(signal.reason));
      return why.promise.then((reason) => Promise.reject(reason));
    });
    const client = createClient(Runtimes, socketTransport(door.path));
    // On a busy machine the caller may be gone before it hears the sentence.
    const asked = client.stopRuntime({ name: "plc1" }, { timeoutMs: 1000 });
    await assert.rejects(asked, { code: Code.DeadlineExceeded });
    assert.match(String(await why.promise), /within its budget of \d{2,3} ms/);
  });

  it("opens to its owner and its group only", async () => {
    await using door = await opened(answers);
    assert.equal((statSync(door.path).mode & 0o777).toString(8), "660");
    const client = createClient(Node, socketTransport(door.path));
    assert.equal((await client.getNode({})).nodeId, "n-1");
  });

  it("closes, whoever is connected and says nothing", async () => {
    const door = await opened(answers);
    const silent = connect({ path: door.path, allowHalfOpen: true });
    await once(silent, "connect");
    silent.resume();
    const left = once(silent, "end");
    await door[Symbol.asyncDispose]();
    await left;
    // The door does not wait for the other side's end either.
    const broken = once(silent, "error");
    silent.write("still here");
    const [error] = (await broken) as [Error];
    assert.match(error.message, /EPIPE/);
  });

  it("replaces the socket of a dead daemon and never that of a living one", async () => {
    await using door = await opened(answers);
    await assert.rejects(openLocalDoor({ path: door.path, work: door.work }), {
      kind: "conflict",
      message: `another program serves on ${door.path}: stop that one first`,
    });
    using folder = tempFolder();
    const path = join(folder.path, "left.sock");
    // What kill -9 leaves: a socket file that nobody listens on.
    const left = `const s = require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"));`;
    await run(process.execPath, ["-e", left]).catch(() => {});
    assert.ok(existsSync(path));
    await using _ = await openLocalDoor({ path, work: door.work });
  });

  it("refuses a path that is no socket, or too long for one", async () => {
    await using door = await opened(answers);
    using folder = tempFolder();
    const path = join(folder.path, "file");
    writeFileSync(path, "mine");
    await assert.rejects(openLocalDoor({ path, work: door.work }), /is there and is not a socket/);
    const long = join(folder.path, "x".repeat(120));
    await assert.rejects(openLocalDoor({ path: long, work: door.work }), /longer than the 107 bytes/);
  });
});
