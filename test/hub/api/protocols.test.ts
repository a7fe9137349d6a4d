/** One port, every way to speak to it; and what is thrown at it that is no request at all. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { create, type Message } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Fleet, GetHubRequestSchema, type GetHubResponse, Role } from "../../../gen/edge/v1/fleet_pb.ts";
import { grpcMethod } from "../../../src/wire/grpc.ts";
import { flood } from "../../fixtures/flood.ts";
import { startHub, type TestHub } from "../../fixtures/hub.ts";

const run = promisify(execFile);
const buf = new URL("../../../node_modules/.bin/buf", import.meta.url).pathname;

describe("the hub's API on one port", () => {
  let hub: TestHub;
  before(async () => {
    hub = await startHub();
  });
  after(() => hub[Symbol.asyncDispose]());

  const curl = async (path: string, body: string, ...more: string[]) => {
    const headers = ["-H", `authorization: Bearer ${hub.adminToken}`, "-H", "content-type: application/json"];
    const args = ["-sS", "--cacert", hub.caFile, ...headers, "-d", body, ...more, `${hub.url}/${path}`];
    return JSON.parse((await run("curl", args)).stdout) as Record<string, unknown>;
  };

  it("answers Connect and gRPC-Web over HTTP/1.1 and HTTP/2", async () => {
    const nodeOptions = { ca: readFileSync(hub.caFile) };
    const baseUrl = hub.url;
    const bearer = { headers: { authorization: `Bearer ${hub.adminToken}` } };
    const transports = (["1.1", "2"] as const).flatMap((httpVersion) => [
      createConnectTransport({ baseUrl, httpVersion, nodeOptions }),
      createGrpcWebTransport({ baseUrl, httpVersion, nodeOptions }),
    ]);
    for (const transport of transports) {
      const client = createClient(Fleet, transport);
      assert.equal((await client.getHub({}, bearer)).role, Role.ADMIN);
      const enough = new AbortController();
      const watch = client.watchNodes({}, { ...bearer, signal: enough.signal })[Symbol.asyncIterator]();
      assert.equal((await watch.next()).done, false);
      enough.abort();
    }
  });

  it("answers grpc-js", async () => {
    const channel = credentials.createSsl(readFileSync(hub.caFile));
    // By name: an address makes grpc-js warn about its own TLS option.
    const client = new Client(`localhost:${new URL(hub.url).port}`, channel);
    const { path, requestSerialize, responseDeserialize } = grpcMethod(Fleet.method.getHub);
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${hub.adminToken}`);
    const answer = await new Promise<Message>((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Message) =>
        response ? resolve(response) : reject(error ?? new Error("no answer"));
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(GetHubRequestSchema),
        metadata,
        done,
      );
    });
    client.close();
    assert.equal((answer as GetHubResponse).trustDomain, "orchestrator.internal");
  });

  it("answers curl with JSON, and tells mistakes in it", async () => {
    for (const version of ["--http1.1", "--http2"]) {
      assert.equal((await curl("edge.v1.Fleet/GetHub", "{}", version)).caller, "admin");
    }
    const mistyped = await curl("edge.v1.Fleet/ListNodes", '{"idz":["n-1"]}');
    assert.equal(mistyped.code, "invalid_argument");
    assert.match(String(mistyped.message), /key "idz" is unknown/);
    const wrong = await curl("edge.v1.Fleet/CreateOperatorToken", '{"name":"two words"}');
    assert.equal(wrong.code, "invalid_argument");
    assert.match(String(wrong.message), /name: "two words" must be .*; role: is required/);
    const absent = await curl("edge.v1.Fleet/GetHubs", "{}");
    assert.deepEqual(absent.code, "unimplemented");
    const large = JSON.stringify({ ids: ["x".repeat(2 ** 20)] });
    const file = `${hub.folder}/large.json`;
    await writeFile(file, large);
    assert.equal((await curl("edge.v1.Fleet/ListNodes", `@${file}`)).code, "resource_exhausted");
  });

  it("refuses a request of 2 GiB before it is read", async () => {
    const session = connectHttp2(hub.url, { ca: readFileSync(hub.caFile) });
    const headers = { authorization: `Bearer ${hub.adminToken}`, "edge-node": "n-1" };
    const { sentBytes, status } = await flood(session, "/edge.v1.Invoke/InvokeRuntime", headers);
    session.destroy();
    assert.equal(status, "8", "RESOURCE_EXHAUSTED");
    assert.ok(sentBytes < 16 << 20, `${sentBytes} bytes were taken`);
    assert.equal((await curl("edge.v1.Fleet/GetHub", "{}")).caller, "admin", "and the next one is answered");
  });

  it("shows itself by reflection, and its health without a token", async () => {
    const call = async (...args: string[]) =>
      (await run(buf, ["curl", "--protocol", "grpc", "--cacert", hub.caFile, ...args])).stdout;
    const services = (await call("--list-services", hub.url)).trim().split("\n");
    assert.deepEqual(services, [
      "edge.v1.Agents",
      "edge.v1.Audit",
      "edge.v1.Authority",
      "edge.v1.Credentials",
      "edge.v1.Enrolment",
      "edge.v1.Events",
      "edge.v1.Fleet",
      "edge.v1.Gateway",
      "edge.v1.Groups",
      "edge.v1.Invoke",
      "edge.v1.Memory",
      "edge.v1.Node",
      "edge.v1.Policy",
      "edge.v1.Rollouts",
      "edge.v1.Runtimes",
      "edge.v1.Sessions",
      "edge.v1.Tasks",
      "edge.v1.Topics",
      "edge.v1.Updates",
      "edge.v1.Wishes",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
    ]);
    assert.match(await call("-d", "{}", `${hub.url}/grpc.health.v1.Health/Check`), /SERVING/);
    const bearer = ["-H", `authorization: Bearer ${hub.adminToken}`];
    assert.match(await call(...bearer, "-d", "{}", `${hub.url}/edge.v1.Fleet/GetHub`), /ROLE_ADMIN/);
  });

  it("outlives what is no request: a host that cannot be, plain text, an old TLS", async () => {
    const { hostname, port } = new URL(hub.url);
    const say = async (words: string) => {
      const socket = connectTls({ host: hostname, port: Number(port), ca: readFileSync(hub.caFile) });
      socket.end(words);
      return text(socket);
    };
    const post = "POST /edge.v1.Fleet/GetHub HTTP/1.0\r\ncontent-type: application/json\r\n";
    assert.match(await say(`${post}\r\n{}`), /400 Bad Request[\s\S]*names no host/);
    assert.match(await say(`${post}host: [\r\n\r\n{}`), /400 Bad Request[\s\S]*names no host/);
    await say("hello\r\n\r\n");
    const old = ["-sS", "--cacert", hub.caFile, "--tls-max", "1.2", hub.url];
    await assert.rejects(run("curl", old), /protocol version/);
    assert.equal((await curl("edge.v1.Fleet/GetHub", "{}")).caller, "admin");
  });
});
