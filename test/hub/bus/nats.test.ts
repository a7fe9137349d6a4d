import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import pino from "pino";
import { systemClock } from "../../../src/base/clock.ts";
import { NatsBus, type NatsOptions } from "../../../src/hub/bus/nats.ts";
import { startNats } from "../../fixtures/nats.ts";
import { until } from "../../journeys/until.ts";
import { busSuite, settled } from "./bus.suite.ts";

const log = pino({ level: "silent" });
const bytes = (text: string) => new TextEncoder().encode(text);

function join(url: string, prefix = "hub.test"): Promise<NatsBus> {
  const options: NatsOptions = { url, prefix, clock: systemClock, log };
  return NatsBus.open(options);
}

busSuite("NATS", async () => {
  const server = await startNats();
  return { join: () => join(server.url), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
});

test("a server that is killed, frozen or not there yet: said, survived, and told when it is back", async () => {
  await using server = await startNats();
  await server.stop();
  await using a = await join(server.url);
  await using b = await join(server.url);
  assert.match(a.problem?.message ?? "", /cannot be reached; start the NATS server, or look at hub.bus_url/);
  const heard: string[] = [];
  let returns = 0;
  a.onReturn(() => returns++);
  b.subscribe("hint.>", ({ subject }) => heard.push(subject));
  b.serve("ask", async () => bytes("answer"));
  a.publish("hint.lost", bytes(""));
  assert.equal(a.dropped, 1);
  await assert.rejects(a.request("ask", bytes(""), { timeoutMs: 60_000 }), { kind: "unavailable" });

  await server.start();
  await until("both are back", () => a.problem === undefined && b.problem === undefined);
  await settled(a, b);
  a.publish("hint.first", bytes(""));
  await until("hint.first is heard", () => heard.includes("hint.first"));

  const asked = a
    .request("nobody-yet.ask", bytes(""), { timeoutMs: 60_000 })
    .catch((thrown: unknown) => thrown);
  await asked;
  await server.kill9();
  await until("both notice", () => a.problem !== undefined && b.problem !== undefined);
  await assert.rejects(a.request("ask", bytes(""), { timeoutMs: 60_000 }), { kind: "unavailable" });
  await server.start();
  await until("both are back", () => a.problem === undefined && b.problem === undefined);
  assert.equal(returns, 2);
  await settled(a, b);
  assert.equal(String(await a.request("ask", bytes(""), { timeoutMs: 60_000 })), "answer");

  server.freeze(true);
  const waits = assert.rejects(a.request("ask", bytes(""), { timeoutMs: 60_000 }), { kind: "unavailable" });
  await until("one notices", () => a.problem !== undefined);
  await waits;
  for (let n = 0; n < 100; n++) a.publish("hint.lost", bytes(""));
  server.freeze(false);
  await until("both are back", () => a.problem === undefined && b.problem === undefined);
  await settled(a, b);
  a.publish("hint.last", bytes(""));
  await until("hint.last is heard", () => heard.includes("hint.last"));
  assert.equal(heard.includes("hint.lost"), false);
});

test("nothing stays open to a server that says nothing", async () => {
  const open = new Set<Socket>();
  let dialled = 0;
  const mute = createServer((socket) => {
    dialled++;
    open.add(socket.on("close", () => open.delete(socket)).on("error", () => {}));
  });
  await once(mute.listen(0, "127.0.0.1"), "listening");
  const { port } = mute.address() as AddressInfo;
  {
    await using bus = await join(`nats://127.0.0.1:${port}`);
    assert.match(bus.problem?.message ?? "", /127\.0\.0\.1:\d+ cannot be reached/);
  }
  assert.ok(dialled > 0);
  await until("all is closed", () => open.size === 0);
  mute.close();
});

test("fleets on one server do not hear one another, and a password is needed where there is one", async () => {
  await using server = await startNats(["--user", "hub", "--pass", "p@ss word"]);
  const url = server.url.replace("//", `//hub:${encodeURIComponent("p@ss word")}@`);
  await using stranger = await join(server.url);
  assert.match(stranger.problem?.message ?? "", /cannot be reached/);
  await using a = await join(url, "hub.one");
  await using other = await join(url, "hub.other");
  await using b = await join(url, "hub.one");
  const heard: string[] = [];
  other.subscribe("settled", ({ subject }) => heard.push(subject));
  b.subscribe(">", () => {});
  await settled(a, b);
  await assert.rejects(other.request("ask", bytes(""), { timeoutMs: 60_000 }), { kind: "unavailable" });
  assert.deepEqual(heard, []);
});

test("what is larger than the server carries is a failure that says what to set", async () => {
  await using server = await startNats();
  await using a = await join(server.url);
  await using b = await join(server.url);
  b.serve("large", async () => new Uint8Array(2 << 20));
  await settled(a, b);
  await assert.rejects(a.request("large", bytes(""), { timeoutMs: 60_000 }), {
    kind: "exhausted",
    message: /set max_payload of the NATS servers/,
  });
  a.publish("large", new Uint8Array(2 << 20));
  assert.equal(a.dropped, 1);
});
