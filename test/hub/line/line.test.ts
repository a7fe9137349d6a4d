import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "node:tls";
import { openAuthority } from "../../../src/hub/enrolment/index.ts";
import { issueServer } from "../../../src/hub/enrolment/issue.ts";
import { FakeNode, type Identity, newIdentity } from "../../fakes/node.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { type Hub, listRuntimes, startHub } from "./hub.ts";

const soon = () => AbortSignal.timeout(60_000);

/** The hub is well: another node comes and goes. */
async function isWell(hub: Hub): Promise<void> {
  using other = await hub.connect(await hub.enrol("n-other"));
  await other.close();
}

test("only a node's certificate of this fleet gets through the handshake, and only with TLS 1.3", async () => {
  using folder = tempFolder();
  await using hub = await startHub();
  const good = await hub.enrol("n-a");
  const foreign = await openAuthority({ folder: folder.path, trustDomain: "", now: Date.now });
  const server = await issueServer(hub.authority, { names: ["x"], at: Date.now(), validMs: 60_000 });
  const refused: Record<string, Identity> = {
    "of another authority": await newIdentity(foreign, "n-a"),
    "of the hub itself": { ...good, certificatePem: server.certificatePem, keyPem: server.keyPem },
    "of a name that is no node's": await newIdentity(hub.authority, "Not A Node"),
  };
  for (const [which, identity] of Object.entries(refused)) {
    using node = hub.dial(identity);
    node.hello();
    assert.equal((await node.ended).code, -1, `a certificate ${which}`);
  }
  const told = await new Promise<string>((resolve) => {
    const options = {
      ca: hub.authority.rootPem,
      cert: good.certificatePem,
      key: good.keyPem,
      servername: "localhost",
    };
    const socket = connect({ port: hub.line.port, host: "127.0.0.1", maxVersion: "TLSv1.2", ...options });
    socket.on("error", (error) => resolve(error.message));
    socket.on("secureConnect", () => resolve("it was let in"));
  });
  assert.match(told, /protocol version/);
  await isWell(hub);
});

test("the listener shows its new certificate, and open lines stay", async () => {
  let renew = () => {};
  using folder = tempFolder();
  const authority = await openAuthority({ folder: `${folder.path}/ca`, trustDomain: "", now: Date.now });
  const make = async () => {
    const issued = await issueServer(authority, { names: ["localhost"], at: Date.now(), validMs: 60_000 });
    return {
      key: issued.keyPem,
      cert: issued.certificatePem + authority.rootPem,
      expiresAt: issued.expiresAt,
    };
  };
  const certificate = {
    current: await make(),
    onChange: (listener: (identity: Awaited<ReturnType<typeof make>>) => void) => {
      renew = () => listener(certificate.current);
      return () => {};
    },
  };
  await using hub = await startHub({ path: folder.path, certificate });
  const identity = await hub.enrol("n-a");
  using node = await hub.connect(identity);
  const serial = () =>
    new Promise<string>((resolve, reject) => {
      const options = { ca: authority.rootPem, cert: identity.certificatePem, key: identity.keyPem };
      const socket = connect({ port: hub.line.port, host: "127.0.0.1", servername: "localhost", ...options });
      socket.on("error", reject);
      socket.on("secureConnect", () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
    });
  const before = await serial();
  certificate.current = await make();
  renew();
  assert.notEqual(await serial(), before);
  node.send({ case: "beat", value: { sample: { cpuPercent: 7 } } });
  await until("the beat is here", () => hub.fleet.get("n-a").sample?.cpuPercent === 7);
});

test("presence, samples and statuses are those of the open line, and what a newer node says is ignored", async () => {
  await using hub = await startHub({ beatMs: 2_000 });
  const identity = await hub.enrol("n-a");
  using node = await hub.connect(identity, { hostName: "plant-7", daemonVersion: "1.2.3" });
  assert.equal(hub.line.connected, 1);
  assert.equal(hub.fleet.get("n-a").hostName, "plant-7");
  await node.next("beat");
  node.sendBytes(Uint8Array.of(0xfa, 0x3e, 0x00)); // Field 1007, of a protocol to come.
  node.send({ case: "beat", value: { sample: { cpuPercent: 9 } } });
  await until("the sample is here", () => hub.fleet.get("n-a").sample?.cpuPercent === 9);
  node.send({ case: "bye", value: { reason: "daemon stops" } });
  await node.close();
  await until("the node is away", () => !hub.fleet.isConnected("n-a"));
  assert.equal(hub.fleet.get("n-a").sample, undefined);
});

test("a frame over the limit ends its own stream with a reason, and so do bytes that are no frame", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  const sent = { large: 2 << 20, giant: 5 << 20 };
  for (const [which, size] of Object.entries(sent)) {
    using node = await hub.connect(identity, { sessionEpoch: BigInt(size) });
    node.send({ case: "bye", value: { reason: "x".repeat(size) } });
    const { code, message } = await node.ended;
    assert.equal(code, 8, `${which}: RESOURCE_EXHAUSTED`);
    if (which === "large") assert.match(message, /a frame of 2097\d\d\d bytes came; at most 1048576/);
  }
  using garbage = await hub.connect(identity, { sessionEpoch: 1n << 40n });
  garbage.sendBytes(Uint8Array.of(0xff, 0xff, 0xff));
  assert.equal((await garbage.ended).code, 3);
  await until("the node is away", () => !hub.fleet.isConnected("n-a"));
  await isWell(hub);
});

test("a read is answered by the node, and by nobody when it is away or leaves", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  await assert.rejects(hub.line.read("n-a", listRuntimes("r0"), soon()), { kind: "unavailable" });
  await assert.rejects(hub.line.read("n-x", listRuntimes("r0"), soon()), { kind: "not_found" });
  using node = await hub.connect(identity);
  const reading = hub.line.read("n-a", listRuntimes("r1"), soon());
  const { sequence, command } = await node.next("command");
  assert.deepEqual([sequence, command?.id, command?.request.case], [0n, "r1", "listRuntimes"]);
  const value = { commandId: "r1", outcome: { case: "listRuntimes" as const, value: {} } };
  node.send({ case: "report", value: { sequence: 0n, entry: { case: "result", value } } });
  assert.equal((await reading).outcome.case, "listRuntimes");

  const stop = new AbortController();
  const given = hub.line.read("n-a", listRuntimes("r2"), stop.signal);
  stop.abort(new Error("the caller left"));
  await assert.rejects(given, /the caller left/);
  const waiting = Array.from({ length: 64 }, (_, at) => hub.line.read("n-a", listRuntimes(`w${at}`), soon()));
  await assert.rejects(hub.line.read("n-a", listRuntimes("w64"), soon()), { kind: "exhausted" });
  const outcomes = Promise.allSettled(waiting);
  await node.close();
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === "rejected" && /n-a left/.test(String(outcome.reason)));
  }
});

test("a node that is not heard for the lease is cut, and what it reads then is a broken connection", async () => {
  await using hub = await startHub({ beatMs: 100 });
  using node = await hub.connect(await hub.enrol("n-a"));
  // It keeps the connection and says nothing: as when its machine hangs.
  assert.equal((await node.ended).code, -1);
  await until("the hub knows", () => !hub.fleet.isConnected("n-a"));
  assert.equal(hub.line.connected, 0);
});

test("a hub that stops tells its nodes to come back later, and is gone when they are", async () => {
  const hub = await startHub();
  const identity = await hub.enrol("n-a");
  using node = await hub.connect(identity);
  const draining = hub.line.drain("the hub stops");
  const { spreadMs, reason } = await node.next("drain");
  assert.deepEqual([spreadMs, reason], [1000, "the hub stops"]);
  using late = FakeNode.dial({ port: hub.line.port || 1, rootPem: hub.authority.rootPem, identity });
  assert.equal((await late.ended).code, -1, "nobody is let in any more");
  await node.close();
  await draining;
  await hub[Symbol.asyncDispose]();
});
