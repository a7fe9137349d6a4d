/** What a node that was taken over could say to hurt the hub, or another node. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { openLog } from "../../../src/base/log.ts";
import { Door } from "../../../src/hub/line/door.ts";
import type { HelloInit, Sent } from "../../fakes/node.ts";
import { until } from "../../journeys/until.ts";
import { startHub, startPlc } from "./hub.ts";

const event = (value: object): Sent => ({
  case: "report",
  value: { sequence: 1n, entry: { case: "event", value } },
});

test("a frame that breaks a rule of the contract ends its own stream, says which, and nothing of it is kept", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  const long = "x".repeat(5_000);
  const said: [Sent, RegExp][] = [
    [event({ at: { seconds: 1n << 50n } }), /report\.event\.at: is not a time between the years 1 and 9999/],
    [event({ reason: long }), /report\.event\.reason: is 5000 bytes long; at most 4096/],
    [event({ fact: { case: "runtime", value: { name: long } } }), /event\.runtime\.name: is 5000 bytes long/],
    [
      {
        case: "report",
        value: { sequence: 1n, entry: { case: "result", value: { commandId: long } } },
      },
      /result\.command_id: is 5000 bytes long/,
    ],
    [{ case: "report", value: { sequence: 1n << 60n } }, /report\.sequence: is 1152921504606846976; at most/],
    [{ case: "progress", value: { commandId: "c1", phase: long } }, /progress\.phase: is 5000 bytes long/],
    [{ case: "bye", value: { reason: long } }, /bye\.reason: is 5000 bytes long/],
  ];
  for (const [at, [frame, sentence]] of said.entries()) {
    using node = await hub.connect(identity, { sessionEpoch: BigInt(at + 1) });
    node.send(frame);
    const { code, message } = await node.ended;
    assert.equal(code, 3, `INVALID_ARGUMENT: ${message}`);
    assert.match(message, sentence);
  }
  const watch = hub.reports.watch({ last: 10, stopWhenCaughtUp: true }, AbortSignal.timeout(60_000));
  assert.deepEqual(await Array.fromAsync(watch), []);
});

test("a hello that is out of bounds is refused with the field that is", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  const said: [HelloInit, RegExp][] = [
    [{ hostName: "x".repeat(256) }, /host_name is 256 bytes long; at most 255/],
    [{ journalId: "x".repeat(65), instanceId: "" }, /journal_id is 65 bytes long.*instance_id is required/],
    [{ lastCommandSequence: (1n << 52n) + 1n }, /last_command_sequence is 4503599627370497; at most/],
  ];
  for (const [hello, sentence] of said) {
    using node = hub.dial(identity);
    node.hello(hello);
    const { code, message } = await node.next("reject");
    assert.equal(code, RejectCode.BAD_HELLO);
    assert.match(message, sentence);
  }
});

test("acknowledgements that say nothing new cost no write, and progress of one node pushes out none of another's", async () => {
  await using hub = await startHub();
  using loud = await hub.connect(await hub.enrol("n-loud"));
  using quiet = await hub.connect(await hub.enrol("n-quiet"));
  await hub.commands.submit("n-quiet", startPlc("c1"), { actor: "operator/t", expiresInMs: 0 });
  quiet.send({ case: "progress", value: { commandId: "c1", phase: "pulling image" } });
  const news = async () => {
    for await (const one of hub.commands.watch("c1", AbortSignal.timeout(60_000))) return one.progress?.phase;
    return undefined;
  };
  await until("the progress is here", async () => (await news()) === "pulling image");

  const before = hub.store.commits;
  for (let at = 0; at < 12_000; at++) {
    loud.send({ case: "progress", value: { commandId: `p${at}`, phase: "creating" } });
    loud.send({ case: "commandsAck", value: { throughSequence: 1n << 60n } });
  }
  loud.send({ case: "beat", value: { sample: { cpuPercent: 7 } } });
  await until("all of it is read", () => hub.fleet.get("n-loud").sample?.cpuPercent === 7);
  assert.equal(hub.store.commits, before);
  assert.equal(await news(), "pulling image");
});

test("whoever never begins or ends a handshake is put out, and keeps no hub from closing", async () => {
  await using hub = await startHub();
  const door = await Door.open({
    ...{ host: "127.0.0.1", port: 0, roots: hub.roots, certificate: hub.certificate, handshakeMs: 200 },
    ...{ log: openLog({ program: "hub", level: "silent", format: "json" }), onStream: () => {} },
  });
  const slow = connect(door.port, "127.0.0.1").on("error", () => {});
  await once(slow.resume(), "close");

  const patient = connect(hub.line.port, "127.0.0.1").on("error", () => {});
  await once(patient, "connect");
  const closed = once(patient.resume(), "close");
  await Promise.all([door[Symbol.asyncDispose](), hub.line[Symbol.asyncDispose](), closed]);
});
