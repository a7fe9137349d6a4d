import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { RuntimeProfile } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { makeCertificate } from "../../../samples/openplc/certificate.ts";
import { beforeChecks, type Check, checkOf, judge } from "../../../src/daemon/health/health.ts";
import { probe } from "../../../src/daemon/health/probe.ts";
import { checkSpec } from "../../../src/daemon/wishes/check.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { spec } from "../runtimes/life.ts";

const check = (init: Partial<Check> = {}): Check => ({
  ...{ question: { by: "tcp", port: 1 }, intervalMs: 1000, timeoutMs: 1000, failures: 3 },
  ...{ startPeriodMs: 60_000, isTentative: false },
  ...init,
});
const names = Object.fromEntries(Object.entries(Health).map(([name, health]) => [health, name]));

/** Health after each check, `+` or `-`, one every ten seconds. */
function course(checks: string, of: Check, told: Health = Health.UNSPECIFIED): string[] {
  let judged = beforeChecks(of, 0, told);
  return checks.split("").map((sign, index) => {
    judged = judge(judged, { isWell: sign === "+", said: sign }, of, (index + 1) * 10_000);
    return names[judged.health] ?? "";
  });
}

test("failures count in a row, after the start period or the first success", () => {
  const [S, H, U] = ["STARTING", "HEALTHY", "UNHEALTHY"];
  assert.deepEqual(course("-----", check()), [S, S, S, S, S], "within the start period");
  assert.deepEqual(course("--------", check()).slice(5), [S, S, U], "three from its end on");
  assert.deepEqual(course("+--+---+", check()), [H, H, H, H, H, H, U, H]);
  assert.deepEqual(course("+-", check({ failures: 1 })), [H, U]);
});

test("a check that nobody asked for says nothing until it succeeded once in the runtime's life", () => {
  const tentative = check({ isTentative: true, startPeriodMs: 1 });
  assert.deepEqual(course("-----", tentative), Array(5).fill("UNSPECIFIED"));
  assert.deepEqual(course("-+---", tentative).slice(1), ["HEALTHY", "HEALTHY", "HEALTHY", "UNHEALTHY"]);
  assert.deepEqual(
    course("---", tentative, Health.HEALTHY).at(-1),
    "UNHEALTHY",
    "it answered in an earlier run",
  );
});

test("which check is done: the spec's, the profile's, the image's or none", () => {
  const of = (init: Parameters<typeof spec>[1]) => checkOf(spec("plc:1", init));
  const openplc = of({ name: "a", profile: RuntimeProfile.OPENPLC });
  assert.deepEqual(openplc?.question, { by: "http", port: 8443, path: "/api/version", https: true });
  assert.equal(openplc?.isTentative, true);
  assert.equal(of({ name: "a" }), undefined, "a plain program's is the image's");
  assert.equal(of({ name: "a", profile: RuntimeProfile.OPENPLC, health: { disabled: true } }), undefined);
  const asked = of({ name: "a", health: { http: { port: 80 }, failures: 1 } });
  assert.deepEqual(asked, {
    ...check({ intervalMs: 30_000, timeoutMs: 5_000, failures: 1 }),
    question: { by: "http", port: 80, path: "/", https: false },
  });
  const both = spec("plc:1", { name: "a", health: { tcp: { port: 1 }, exec: { command: [""] } } });
  assert.throws(() => checkSpec(both), /one of its ways, and not tcp and exec.*must not be empty/s);
});

async function listen(server: Server) {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket.on("error", () => {}).on("close", () => open.delete(socket)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port, // It listens on TCP.
    /** Resolves when nobody is connected any more. */
    async left() {
      for (const socket of open) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await once(server.close(), "close");
    },
  };
}

const asks = (port: number, { path = "/", https = false, timeoutMs = 5_000 } = {}) =>
  probe("127.0.0.1", { by: "http", port, path, https }, { timeoutMs, signal: AbortSignal.timeout(30_000) });

test("a probe takes 200 to 399 for an answer, follows nothing, and leaves no connection", async () => {
  const seen: string[] = [];
  await using server = await listen(
    createHttp((request, response) => {
      seen.push(request.url ?? "");
      response.writeHead(Number(request.url?.slice(1)), { location: "/200" }).end("x".repeat(200_000));
    }),
  );
  const said: string[] = [];
  for (const status of [200, 302, 399, 401, 404, 500, 503]) {
    const { isWell, said: what } = await asks(server.port, { path: `/${status}` });
    said.push(`${isWell} ${what.replace(/.* answered/, "answered")}`);
  }
  assert.deepEqual(said, [
    ...["true answered 200", "true answered 302", "true answered 399", "false answered 401"],
    ...["false answered 404", "false answered 500", "false answered 503"],
  ]);
  assert.equal(seen.length, 7);
  await server.left();
  const tcp = await probe(
    "127.0.0.1",
    { by: "tcp", port: server.port },
    { timeoutMs: 5_000, signal: AbortSignal.timeout(30_000) },
  );
  assert.deepEqual(tcp, { isWell: true, said: `TCP port 127.0.0.1:${server.port} takes connections` });
  await server.left();
});

test("a probe over TLS asks nobody who signed the certificate; plain HTTP there is no answer", async () => {
  using folder = tempFolder();
  const certificate = await makeCertificate(folder.path);
  await using server = await listen(createHttps(certificate, (_, response) => response.end("{}")));
  assert.equal((await asks(server.port, { https: true })).isWell, true);
  const { isWell, said } = await asks(server.port);
  assert.deepEqual([isWell, /failed \(/.test(said)], [false, true], said);
});

test("an answer that drips, never comes, or is none is a failure in time", async () => {
  const raw = (answer: (socket: Socket) => void) => listen(createServer((socket) => answer(socket.resume()))); // Who does not read does not see the end.
  const drip = (text: string) => (socket: Socket) => {
    const timer = setInterval(() => socket.write(text), 20);
    socket.on("close", () => clearInterval(timer));
  };
  await using dripsHead = await raw(drip("x"));
  await using dripsBody = await raw((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
    drip("x")(socket);
  });
  await using silent = await raw(() => {});
  for (const { port, left } of [dripsBody, silent]) {
    const { isWell, said } = await asks(port, { timeoutMs: 300 });
    assert.deepEqual([isWell, said.replace(/.*\/ /, "")], [false, "gave no whole answer within 300 ms"]);
    await left();
  }
  await using hangsUp = await raw((socket) => socket.destroy());
  for (const { port } of [dripsHead, hangsUp])
    assert.equal((await asks(port, { timeoutMs: 300 })).isWell, false);
  await using gone = await raw(() => {});
  const { port } = gone;
  await gone[Symbol.asyncDispose]().catch(() => {});
  assert.match((await asks(port)).said, /failed \(ECONNREFUSED\)$/);
});
