import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import packet from "dns-packet";
import { AgentNetworkSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { type AllowEgressRequest, GuardEgressRequestSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Answerer } from "../../../src/daemon/egress/answerer.ts";
import { type Denial, Denials } from "../../../src/daemon/egress/denials.ts";
import type { Found } from "../../../src/daemon/egress/look-up.ts";
import { openResolver } from "../../../src/daemon/egress/resolver.ts";

const { signal } = new AbortController();

function scene(found: Found) {
  let nowMs = 0;
  const [opened, denied, asked]: [AllowEgressRequest[], Denial[], string[]] = [[], [], []];
  const answerer = new Answerer({
    lookUp: (name) => {
      asked.push(name);
      return Promise.resolve(found);
    },
    open: (request) => {
      if (request.addresses.includes("203.0.113.66")) return Promise.reject(failure("not_found", "gone"));
      opened.push(request);
      return Promise.resolve();
    },
    denied: (denial) => denied.push(denial),
    clock: { now: () => nowMs, elapsed: () => nowMs, sleep: () => Promise.resolve() },
    log: openLog({ program: "test", level: "silent", format: "pretty" }),
  });
  const from = {
    ...{ cell: "cell-1", agent: "poet", address: "172.18.0.2", hasIpv6: false },
    allow: create(AgentNetworkSchema, {
      allow: [
        { host: "a.test", ports: [80] },
        { host: "*.test", ports: [443], udp: true },
      ],
    }),
    guard: create(GuardEgressRequestSchema, { containerId: "c" }),
  };
  return {
    ...{ opened, denied, asked },
    pass: (ms: number) => {
      nowMs += ms;
    },
    ask: (name: string, type = "A") => answerer.answer(from, { name, type }, signal),
  };
}

test("an address is open before it is told, with the ports of all rules that hold its name, and for longer than is told", async () => {
  const { ask, opened, asked, pass } = scene({
    is: "known",
    addresses: ["203.0.113.1", "10.0.0.1"],
    ttlSeconds: 0,
  });
  const reply = { is: "addresses", addresses: ["203.0.113.1"], ttlSeconds: 5 };
  assert.deepEqual(await ask("A.test"), reply);
  const [{ containerId, addresses, tcpPorts, udpPorts, seconds } = assert.fail("nothing was opened")] =
    opened;
  assert.deepEqual(
    [containerId, addresses, tcpPorts, udpPorts, seconds],
    ["c", ["203.0.113.1"], [80, 443], [443], 65],
  );
  // What is asked again at once costs nobody anything.
  assert.deepEqual(await ask("a.test"), reply);
  assert.deepEqual([asked.length, opened.length], [1, 1]);
  pass(5_000);
  await ask("a.test");
  assert.deepEqual([asked.length, opened.length], [2, 2]);
});

test("what cannot be opened is not told, and what does not exist is said so", async () => {
  assert.deepEqual(await scene({ is: "known", addresses: ["203.0.113.66"], ttlSeconds: 9 }).ask("a.test"), {
    is: "failed",
  });
  assert.deepEqual(await scene({ is: "unknown" }).ask("a.test"), { is: "unknown" });
  assert.deepEqual(await scene({ is: "empty" }).ask("a.test"), { is: "empty" });
});

test("a program that asks for more new names than any needs gets no answer for a while", async () => {
  const { ask, asked, pass } = scene({ is: "unknown" });
  const replies = await Promise.all(Array.from({ length: 20 }, (_, at) => ask(`n${at}.test`)));
  assert.equal(replies.filter(({ is }) => is === "failed").length, 12); // Eight at once.
  for (let at = 0; at < 60; at++) await ask(`m${at}.test`);
  assert.equal(asked.length, 50);
  pass(5_000);
  assert.deepEqual(await ask("later.test"), { is: "unknown" });
});

test("what is denied is one event for each destination, and one for all beyond the sixteenth", () => {
  const told: string[] = [];
  const isFull = { now: true };
  const denials = new Denials({
    journal: {
      record: ({ value }) => {
        if (value && "destination" in value)
          told.push(`${value.taskId} ${value.protocol} ${value.destination} ${value.count}`);
        return 0;
      },
    },
    audit: {
      record: () => {
        if (isFull.now) throw failure("exhausted", "the disk is full");
      },
    },
    taskOf: () => "task-1",
  });
  const denial = { cell: "c", agent: "poet", port: 80, protocol: "tcp", reason: "so", count: 2 };
  for (let at = 0; at < 20; at++) denials.add({ ...denial, destination: `203.0.113.${at % 18}` });
  assert.throws(() => denials.tell(), /the disk is full/);
  isFull.now = false;
  denials.tell();
  denials.tell();
  assert.equal(told.length, 17);
  assert.deepEqual(
    [told[0], told[2], told[16]],
    ["task-1 tcp 203.0.113.0 4", "task-1 tcp 203.0.113.2 2", "task-1  others 4"],
  );
});

test("DNS is spoken by UDP and TCP: what is too long is cut, and what is no question, or from nobody known, gets nothing", async () => {
  const port = 20_000 + Math.floor(Math.random() * 10_000); // None that the system gives to others.
  const many = Array.from({ length: 16 }, (_, at) => `203.0.113.${at}`);
  await using _ = await openResolver({
    ...{ address: "127.0.0.2", port },
    knows: (from) => from === "127.0.0.2",
    answer: (_from, { name }) =>
      Promise.resolve({ is: "addresses", ttlSeconds: 9, addresses: name === "x" ? many.slice(0, 2) : many }),
  });
  const question = (name: string) =>
    packet.encode({ type: "query", id: 7, questions: [{ type: "A", name }] });
  const udp = createSocket("udp4").bind({ address: "127.0.0.2" });
  const answers: packet.DecodedPacket[] = [];
  udp.on("message", (said) => answers.push(packet.decode(said)));
  const response = packet.encode({ type: "response", id: 8, questions: [{ type: "A", name: "x" }] });
  for (const odd of ["", "x", "\0".repeat(12), "\xff".repeat(40), "\xc0\x0c".repeat(20)])
    udp.send(Buffer.from(odd, "latin1"), port, "127.0.0.2");
  udp.send(response, port, "127.0.0.2");
  const stranger = createSocket("udp4").bind({ address: "127.0.0.3" });
  stranger.on("message", () => assert.fail("a stranger was answered"));
  stranger.send(question("x"), port, "127.0.0.2");
  udp.send(question("x"), port, "127.0.0.2");
  await once(udp, "message");
  udp.send(question("y".repeat(60)), port, "127.0.0.2");
  await once(udp, "message");
  assert.deepEqual(
    answers.map(({ id, answers: all, flag_tc: isCut }) => [id, all?.length, isCut]),
    [
      [7, 2, false],
      [7, 0, true],
    ],
  );
  const tcp = connect({ host: "127.0.0.2", port, localAddress: "127.0.0.2" });
  const long = question("y".repeat(60));
  tcp.write(Buffer.concat([Buffer.of(0, long.length), long]));
  const [said] = (await once(tcp, "data")) as [Buffer];
  assert.equal(packet.decode(said.subarray(2)).answers?.length, 16);
  for (const one of [udp, stranger]) one.close();
  tcp.destroy();
});
