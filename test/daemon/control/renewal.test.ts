import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { type HubFrame, RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { IdentityChangeKind } from "../../../gen/edge/v1/events_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { GetNodeResponseSchema } from "../../../gen/edge/v1/node_pb.ts";
import { credentialsIn } from "../../../src/daemon/identity/index.ts";
import { newKeyPem, signingRequest } from "../../../src/daemon/identity/request.ts";
import type { Dispatch } from "../../../src/daemon/work/index.ts";
import { type FakeHub, type HubStream, startFakeHub } from "../../fakes/hub.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { openNode } from "./node.ts";

/** A hub, and a node with three quarters of its certificate's life behind it. */
async function dueNode(handle?: Dispatch) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const hub: FakeHub = opened.use(await startFakeHub(join(folder.path, "ca"), { ageMs: 45 * 60_000 }));
  const node = opened.use(await openNode(folder.path, hub.identity, handle));
  const credentials = credentialsIn(folder.path, "test");
  const owned = opened.move();
  return {
    ...{ hub, node, credentials, folder: folder.path },
    /** Serial numbers of the identity and of the candidate. */
    async serials() {
      const held = await credentials.held();
      return [held?.identity, held?.candidate].map((one) => one && serialOf(one.certificatePem));
    },
    /** What the journal tells of the identity. */
    changes: () =>
      node.journal.read(0, 100).flatMap(({ entry }) => {
        const fact = entry.case === "event" ? entry.value.fact : undefined;
        return fact?.case === "identity" && entry.case === "event"
          ? [{ kind: fact.value.kind, serial: fact.value.serial, reason: entry.value.reason }]
          : [];
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const welcome = { renewsCertificates: true };
const { RENEWED, RENEWAL_FAILED } = IdentityChangeKind;

function serialOf(pem: string): string {
  return new X509Certificate(pem).serialNumber;
}

function rejection(code: RejectCode): HubFrame["body"] & { case: "reject" } {
  return {
    case: "reject",
    value: { $typeName: "edge.v1.Reject", code, retryable: false, retryAfterMs: 0, message: "no" },
  };
}

/** Answers the next renewal; the serial number of what was issued. */
async function issueOn(hub: FakeHub, stream: HubStream): Promise<string> {
  const { csrDer } = await stream.expect("renewal");
  const certificatePem = await hub.issue(csrDer);
  stream.say({ case: "renewal", value: { certificatePem } });
  return serialOf(certificatePem);
}

describe("a certificate that is due", () => {
  it("is renewed over the line with a new key, and the next stream is up before the old one ends, owing nobody an answer", async () => {
    const asked = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    await using it = await dueNode(async () => {
      asked.resolve();
      await go.promise;
      return { case: "getNode", value: create(GetNodeResponseSchema) };
    });
    const first = await it.hub.nextStream();
    const hello = await first.welcome(welcome);
    assert.equal(hello.takesOver, false);
    const command = (id: string): Command =>
      create(CommandSchema, { id, request: { case: "getNode", value: {} } });
    first.say({ case: "command", value: { sequence: 0n, command: command("r1") } });
    await asked.promise;
    const serial = await issueOn(it.hub, first);

    const second = await it.hub.nextStream();
    assert.equal(second.certificateSerial, serial);
    // What the next stream's hello does not speak of is not taken here any more: the hub sends it again there.
    first.say({ case: "command", value: { sequence: 1n, command: command("c1") } });
    const next = await second.welcome(welcome);
    assert.deepEqual(
      [next.takesOver, next.sessionEpoch, next.lastCommandSequence],
      [true, hello.sessionEpoch + 1n, 0n],
    );
    await until("it is committed", async () => (await it.serials())[1] === undefined);
    assert.deepEqual(await it.serials(), [serial, undefined]);
    assert.notEqual((await it.credentials.held())?.identity.keyPem, it.hub.identity.keyPem);
    assert.equal(it.node.line.state.is, "up");
    second.say({ case: "command", value: { sequence: 1n, command: command("c1") } });
    assert.equal((await second.expect("commandsAck")).throughSequence, 1n);

    first.say({ case: "command", value: { sequence: 0n, command: command("r2") } });
    first.say(rejection(RejectCode.SUPERSEDED));
    go.resolve();
    const answered = [await first.expect("report"), await first.expect("report")];
    assert.deepEqual(
      answered.map(({ entry }) => entry.case === "result" && entry.value.commandId),
      ["r1", "r2"],
    );
    await first.expect("bye");
    assert.equal(first.heard.filter(({ body }) => body.case === "commandsAck").length, 0);
    assert.deepEqual(it.changes(), [{ kind: RENEWED, serial, reason: "its certificate was renewed" }]);
    assert.ok((it.node.line.renewsAt ?? 0) > Date.now());
    assert.equal(it.hub.streams, 2);
  });

  it("is asked for at once when the hub wants it, and the roots that come with it are kept when it is welcomed", async () => {
    await using opened = new AsyncDisposableStack();
    const folder = opened.use(tempFolder());
    const hub = opened.use(await startFakeHub(join(folder.path, "ca")));
    const other = await startFakeHub(join(folder.path, "other"));
    opened.use(other);
    const node = opened.use(await openNode(folder.path, hub.identity));
    const credentials = credentialsIn(folder.path, "test");
    const first = await hub.nextStream();
    const { trustedRoots } = await first.welcome(welcome);
    assert.deepEqual(
      trustedRoots.map((one) => one.length),
      [32],
    );

    first.say({ case: "renewalWanted", value: { spreadMs: 0, reason: "another root" } });
    const planted = await first.expect("renewal");
    assert.equal(planted.takesRoots, true);
    const answer = async (csrDer: Uint8Array, caPem: string) => {
      const certificatePem = await hub.issue(csrDer);
      first.say({ case: "renewal", value: { certificatePem, caPem } });
      return serialOf(certificatePem);
    };
    await answer(planted.csrDer, hub.identity.caPem + other.identity.caPem);
    await until("it is told", () => node.journal.range().last > 0);
    assert.equal((await credentials.held())?.candidate, undefined, "nobody vouches for that root");

    first.say({ case: "renewalWanted", value: { spreadMs: 0, reason: "another root" } });
    const serial = await answer((await first.expect("renewal")).csrDer, hub.identity.caPem);
    const second = await hub.nextStream();
    assert.equal(second.certificateSerial, serial);
    second.destroy();
    const third = await hub.nextStream();
    assert.notEqual(third.certificateSerial, serial, "it is tried turn by turn");
  });

  it("is kept when the hub refuses, or issues one that does not fit, which is told", async () => {
    await using it = await dueNode();
    const stream = await it.hub.nextStream();
    await stream.welcome(welcome);
    await stream.expect("renewal");
    const refusal = { kind: FailureKind.CONFLICT, message: "not from me" };
    stream.say({ case: "renewal", value: { refusal } });
    await until("it is told", () => it.changes().length > 0);
    const serial = serialOf(it.hub.identity.certificatePem);
    assert.deepEqual(it.changes(), [{ kind: RENEWAL_FAILED, serial, reason: "not from me" }]);
    assert.equal(it.node.line.state.is, "up");
    // The next attempt is a while away; a node that starts anew asks at once.
    stream.destroy();
    await using other = await openNode(join(it.folder, "other"), it.hub.identity);
    const streams = [await it.hub.nextStream(), await it.hub.nextStream()];
    await Promise.all(streams.map((one) => one.welcome(welcome)));
    const asking = await Promise.race(
      streams.map(async (one) => ({ one, renewal: await one.expect("renewal") })),
    );
    const certificatePem = await it.hub.issue(asking.renewal.csrDer, "n-another");
    asking.one.say({ case: "renewal", value: { certificatePem } });
    await until("it is told", () => other.journal.range().last > 0);
    assert.deepEqual(await it.serials(), [serial, undefined]);
  });

  it("is not asked for from a hub that issues none", async () => {
    await using it = await dueNode();
    const stream = await it.hub.nextStream();
    await stream.welcome({ beatIntervalMs: 20 });
    for (let beats = 0; beats < 5; beats++) await stream.expect("beat");
    assert.equal(stream.heard.filter(({ body }) => body.case === "renewal").length, 0);
    assert.equal(it.node.line.renewsAt, undefined);
  });

  it("comes back to the old one when the new one is not let in, which is told", async () => {
    await using it = await dueNode();
    const first = await it.hub.nextStream();
    await first.welcome(welcome);
    const serial = await issueOn(it.hub, first);
    const second = await it.hub.nextStream();
    assert.equal(second.certificateSerial, serial);
    await second.expect("hello");
    second.say(rejection(RejectCode.REMOVED));
    const third = await it.hub.nextStream();
    const old = serialOf(it.hub.identity.certificatePem);
    assert.equal(third.certificateSerial, old);
    await third.welcome(welcome);
    await until("it is told", () => it.changes().length > 0);
    const reason = "the new one was not let in: the hub does not let this node in: no";
    assert.deepEqual(it.changes(), [{ kind: RENEWAL_FAILED, serial: old, reason }]);
    assert.deepEqual(await it.serials(), [old, undefined]);
    assert.equal(it.node.line.state.is, "up");
  });

  it("was replaced for a hub whose welcome got lost: the new one is tried again, also by the next daemon", async () => {
    await using it = await dueNode();
    const first = await it.hub.nextStream();
    await first.welcome(welcome);
    const serial = await issueOn(it.hub, first);
    const second = await it.hub.nextStream();
    await second.expect("hello");
    second.destroy(); // The hub has seen the new certificate, and the node does not know.
    const third = await it.hub.nextStream();
    assert.notEqual(third.certificateSerial, serial);
    await third.expect("hello");
    third.say(rejection(RejectCode.REPLACED));
    const fourth = await it.hub.nextStream();
    assert.equal(fourth.certificateSerial, serial);
    assert.equal((await it.serials())[1], serial);
    const held = await it.credentials.held();
    assert.ok(held?.candidate);

    // A daemon that was killed here begins with the candidate.
    const folder = join(it.folder, "next");
    const credentials = credentialsIn(folder, "test");
    await using node = await openNode(folder, held.identity, undefined, held.candidate);
    const fifth = await it.hub.nextStream();
    assert.equal(fifth.certificateSerial, serial);
    await fifth.welcome();
    await until("it is committed", async () => (await credentials.held())?.candidate === undefined);
    assert.equal(serialOf((await credentials.held())?.identity.certificatePem ?? ""), serial);
    assert.equal(node.line.state.is, "up");
  });

  it("is tried at every address before the old one is again, where a hub of several is away", async () => {
    using folder = tempFolder();
    await using hub = await startFakeHub(join(folder.path, "ca"));
    const identity = { ...hub.identity, lineAddresses: ["127.0.0.1:1", hub.address] };
    const keyPem = await newKeyPem();
    const candidate = {
      ...identity,
      keyPem,
      certificatePem: await hub.issue(signingRequest(keyPem, "test")),
    };
    await using _node = await openNode(join(folder.path, "node"), identity, undefined, candidate);
    const [old, next] = [identity, candidate].map((one) => serialOf(one.certificatePem));
    for (const expected of [next, old, next]) {
      const stream = await hub.nextStream();
      assert.equal(stream.certificateSerial, expected);
      await stream.expect("hello");
      stream.destroy(); // Whether the hub has seen it, the node does not know.
    }
  });
});
