import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "node:tls";
import { type Reject, RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { newKeyPem, signingRequest } from "../../../src/daemon/identity/request.ts";
import { openAuthority } from "../../../src/hub/enrolment/index.ts";
import { standingOf } from "../../../src/hub/line/renewal.ts";
import { type FakeNode, type Identity, newIdentity } from "../../fakes/node.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { type Hub, hourMs, startHub } from "./hub.ts";

/** Asks for the next certificate, and makes an identity of the answer. */
async function renewed(node: FakeNode, old: Identity): Promise<Identity> {
  const keyPem = await newKeyPem();
  node.send({ case: "renewal", value: { csrDer: signingRequest(keyPem, "plant-7") } });
  const { certificatePem, refusal } = await node.next("renewal");
  assert.equal(refusal, undefined);
  return { ...old, keyPem, certificatePem };
}

async function rejectOf(hub: Hub, identity: Identity, epoch: bigint, hostName = ""): Promise<Reject> {
  using node = hub.dial(identity);
  node.hello({ sessionEpoch: epoch, hostName });
  return await node.next("reject");
}

test("a certificate is good, then renewable for a while, then nothing", () => {
  const standings = [99, 100, 149, 150].map((now) => standingOf(100, 50, now));
  assert.deepEqual(standings, ["good", "renewable", "renewable", "expired"]);
  assert.equal(standingOf(100, 0, 100), "expired");
});

test("the next certificate comes over the line; the old one is good until the new one was used, and never again", async () => {
  using folder = tempFolder();
  let older: Identity;
  {
    await using hub = await startHub({ path: folder.path });
    older = await hub.enrol("n-a", 0.7 * hourMs);
    using node = await hub.connect(older, { hostName: "plant-7" });
    const newer = await renewed(node, older);
    const certificate = new X509Certificate(newer.certificatePem);
    assert.equal(certificate.subjectAltName, new X509Certificate(older.certificatePem).subjectAltName);
    assert.ok(certificate.validToDate.getTime() > older.expiresAt);

    using again = await hub.connect(older, { sessionEpoch: 2n, hostName: "plant-7" });
    using swapped = await hub.connect(newer, { sessionEpoch: 3n, hostName: "plant-7" });
    assert.equal((await again.next("reject")).code, RejectCode.SUPERSEDED);
    const reject = await rejectOf(hub, older, 4n, "the-copy");
    assert.deepEqual([reject.code, reject.retryable], [RejectCode.REPLACED, false]);
    assert.match(
      hub.fleet.get("n-a").warning,
      /^the-copy at 127\.0\.0\.1 \(.*\) has an older certificate of this node than plant-7 at 127\.0\.0\.1 /,
    );
    assert.equal(swapped.count("reject"), 0, "the node goes on");
    assert.equal(hub.fleet.isConnected("n-a"), true);
  }
  await using hub = await startHub({ path: folder.path });
  assert.equal((await rejectOf(hub, older, 5n)).code, RejectCode.REPLACED, "the next hub knows it");
});

test("a renewal that comes too early or holds no request is refused, and the line goes on", async () => {
  await using hub = await startHub();
  using young = await hub.connect(await hub.enrol("n-a"));
  const csrDer = signingRequest(await newKeyPem(), "");
  for (let times = 0; times < 3; times++) young.send({ case: "renewal", value: { csrDer } });
  const early = await young.next("renewal");
  assert.deepEqual([early.certificatePem, early.refusal?.kind], ["", FailureKind.CONFLICT]);
  young.send({ case: "report", value: { sequence: 1n, entry: { case: "event", value: {} } } });
  await young.next("reportsAck");
  assert.equal(young.count("renewal"), 0, "three at once are answered as one");
  using node = await hub.connect(await hub.enrol("n-b", 0.7 * hourMs));
  node.send({ case: "renewal", value: { csrDer: Uint8Array.of(1, 2, 3) } });
  assert.equal((await node.next("renewal")).refusal?.kind, FailureKind.INVALID);
  assert.equal(hub.line.connected, 2);
});

test("a hub that issues none says so, and does not answer", async () => {
  await using hub = await startHub({ renew: undefined });
  const identity = await hub.enrol("n-a", 0.7 * hourMs);
  using node = hub.dial(identity);
  node.hello();
  assert.equal((await node.next("welcome")).renewsCertificates, false);
  node.send({ case: "renewal", value: { csrDer: signingRequest(await newKeyPem(), "") } });
  node.send({ case: "report", value: { sequence: 1n, entry: { case: "event", value: {} } } });
  await node.next("reportsAck");
  assert.equal(node.count("renewal"), 0);
});

test("a line is cut when its certificate expires", async () => {
  await using hub = await startHub({ renewalGraceMs: hourMs });
  using node = await hub.connect(await hub.enrol("n-a"));
  hub.pass(hourMs);
  const reject = await node.next("reject");
  assert.deepEqual([reject.code, reject.retryable], [RejectCode.EXPIRED, true]);
  assert.equal((await node.ended).code, 0);
});

test("who was away past its end comes back by its key within the grace, and by a token after it", async () => {
  await using hub = await startHub({ renewalGraceMs: 2 * hourMs });
  const away = await hub.enrol("n-a", 2 * hourMs);
  const hello = await rejectOf(hub, away, 1n);
  assert.deepEqual([hello.code, hello.retryable], [RejectCode.EXPIRED, true]);
  using asking = hub.dial(away);
  const back = await renewed(asking, away);
  assert.equal((await asking.ended).code, 0, "it gets its certificate and nothing else");
  using node = await hub.connect(back);
  node.send({ case: "bye", value: {} });

  // It was the newest until now: its key opens nothing any more.
  using copy = hub.dial(away);
  copy.send({ case: "renewal", value: { csrDer: signingRequest(await newKeyPem(), "") } });
  assert.equal((await copy.next("reject")).code, RejectCode.REPLACED);

  const late = await rejectOf(hub, await hub.enrol("n-late", 4 * hourMs), 1n);
  assert.deepEqual([late.code, late.retryable], [RejectCode.EXPIRED, false]);
  assert.match(late.message, /enrol the node anew/);
  assert.equal(hub.fleet.get("n-late").warning, late.message, "operators are told, too");
  const gone = await hub.enrol("n-gone", 2 * hourMs);
  await hub.fleet.remove("n-gone");
  using removed = hub.dial(gone);
  removed.send({ case: "renewal", value: { csrDer: signingRequest(await newKeyPem(), "") } });
  assert.equal((await removed.next("reject")).code, RejectCode.REMOVED);
});

test("an expired certificate that this hub did not issue is not believed", async () => {
  using folder = tempFolder();
  await using hub = await startHub({ renewalGraceMs: 2 * hourMs });
  await hub.enrol("n-a", 2 * hourMs);
  const foreign = await openAuthority({ folder: folder.path, trustDomain: "", now: Date.now });
  const life = { at: Date.now() - 2 * hourMs, validMs: hourMs };
  using node = hub.dial(await newIdentity(foreign, "n-a", undefined, life));
  node.hello();
  assert.equal((await node.ended).code, -1);
});

test("a certificate of the future, from a hub whose clock was ahead, lets its node in, and is renewed at once", async () => {
  await using hub = await startHub();
  const early = await hub.enrol("n-a", -2 * hourMs);
  const trustedRoots = [hub.authority.rootSha256];
  using node = await hub.connect(early, { trustedRoots });
  await node.next("renewalWanted");
  const keyPem = await newKeyPem();
  node.send({ case: "renewal", value: { csrDer: signingRequest(keyPem, ""), takesRoots: true } });
  const { certificatePem } = await node.next("renewal");
  assert.ok(new X509Certificate(certificatePem).validFromDate.getTime() <= Date.now());
  using next = await hub.connect({ ...early, keyPem, certificatePem }, { sessionEpoch: 2n, trustedRoots });
  assert.equal(next.count("renewalWanted"), 0);
});

test("no TLS session is resumed: with a ticket, a certificate that has expired since would not be looked at", async () => {
  await using hub = await startHub();
  const { certificatePem: cert, keyPem: key } = await hub.enrol("n-a");
  const dial = async (session?: Buffer) => {
    const options = {
      port: hub.line.port,
      host: "127.0.0.1",
      servername: "localhost",
      ALPNProtocols: ["h2"],
    };
    const ca = hub.authority.rootPem;
    const socket = connect({ ...options, ca, cert, key, ...(session && { session }) });
    await once(socket, "data"); // HTTP/2 settings: a ticket would have come before them.
    const seen = { session: socket.getSession(), isReused: socket.isSessionReused() };
    socket.destroy();
    return seen;
  };
  const { session } = await dial();
  assert.equal((await dial(session)).isReused, false);
});
