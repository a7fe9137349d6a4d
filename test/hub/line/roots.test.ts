import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { newKeyPem, signingRequest } from "../../../src/daemon/identity/request.ts";
import { vouchedRoots } from "../../../src/daemon/identity/roots.ts";
import { certificatesOf } from "../../../src/wire/judge.ts";
import { spkiSha256 } from "../../../src/wire/tls.ts";
import { FakeNode, type HelloInit, type Identity } from "../../fakes/node.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { type Hub, startHub } from "./hub.ts";

/** A node with the roots that it trusts. */
interface Trusting extends Identity {
  caPem: string;
}

async function connect(hub: Hub, node: Trusting, hello: HelloInit = {}): Promise<FakeNode> {
  const dialled = FakeNode.dial({ port: hub.line.port, rootPem: node.caPem, identity: node });
  const trustedRoots = certificatesOf(node.caPem).map((root) => new Uint8Array(spkiSha256(root)));
  dialled.hello({ trustedRoots, ...hello });
  await dialled.next("welcome");
  return dialled;
}

/** Asks for the next certificate, and takes it with the roots that come with it, as a node does. */
async function renew(node: FakeNode, old: Trusting): Promise<Trusting> {
  const keyPem = await newKeyPem();
  node.send({ case: "renewal", value: { csrDer: signingRequest(keyPem, ""), takesRoots: true } });
  const { certificatePem, caPem, refusal } = await node.next("renewal");
  assert.equal(refusal, undefined);
  return { ...old, keyPem, certificatePem, caPem: vouchedRoots(old.caPem, caPem) };
}

function issuerOf({ certificatePem }: Identity): string {
  return new X509Certificate(certificatePem).issuer;
}

test("a root takes the place of another while nodes of both kinds are served, and a restart changes nothing", async () => {
  using folder = tempFolder();
  let old: Trusting;
  let away: Trusting;
  let renewed: Trusting;
  let first = "";
  {
    await using hub = await startHub({ path: folder.path });
    const caPem = hub.authority.rootPem;
    old = { ...(await hub.enrol("n-a")), caPem };
    away = { ...(await hub.enrol("n-away")), caPem };
    using node = await connect(hub, old);
    using plain = await hub.connect(away);
    first = hub.roots.issuing.id;
    const second = await hub.roots.rotate();
    await node.next("renewalWanted");
    assert.equal(plain.count("renewalWanted"), 0, "a node that takes no roots is not asked");
    plain.send({ case: "renewal", value: { csrDer: signingRequest(await newKeyPem(), "") } });
    assert.match((await plain.next("renewal")).refusal?.message ?? "", /ask for the next one after/);
    renewed = await renew(node, old);
    assert.match(issuerOf(renewed), /Orchestrator root 2 of/);
    assert.equal(certificatesOf(renewed.caPem).length, 2);
    await assert.rejects(hub.roots.rotate(), /retire the older one first/);
    await assert.rejects(
      hub.roots.retire(second.id, { fleet: [], force: true }),
      /signs the certificates of nodes/,
    );
  }
  {
    await using hub = await startHub({ path: folder.path });
    using node = await connect(hub, renewed, { sessionEpoch: 2n });
    using _old = await connect(hub, away, { sessionEpoch: 2n });
    await until("the node's new root is noted", async () => (await hub.roots.holders.count(["n-a"])) === 1);
    assert.equal(node.count("renewalWanted"), 0);
    const fleet = ["n-a", "n-away"];
    await assert.rejects(
      hub.roots.retire(first, { fleet, force: false }),
      /still needed: 1 node holds a certificate of it \(n-away\): wait until it was connected\. With --force/,
    );
    await hub.certificate.renewIfDue();
    const { leftBehind } = await hub.roots.retire(first, { fleet, force: true });
    assert.deepEqual(leftBehind, ["n-away"]);
    await hub.certificate.use(hub.roots.serving);
    await node.next("renewalWanted");
    const last = await renew(node, renewed);
    assert.equal(certificatesOf(last.caPem).length, 1, "the old root is not trusted any more");
    renewed = last;
  }
  await using hub = await startHub({ path: folder.path });
  await hub.certificate.use(hub.roots.serving);
  using _node = await connect(hub, renewed, { sessionEpoch: 3n });
  using left = FakeNode.dial({ port: hub.line.port, rootPem: renewed.caPem, identity: away });
  left.hello({ sessionEpoch: 3n });
  assert.equal((await left.ended).code, -1, "a certificate of the retired root is nobody's");
  const kept = await hub.roots.list();
  assert.deepEqual(
    kept.map(({ retiredAt }) => retiredAt === undefined),
    [true, false],
  );
});

test("nobody can plant a root: each has to be vouched for by one that is trusted", async () => {
  await using hub = await startHub();
  await using other = await startHub();
  const { rootPem } = hub.authority;
  await hub.roots.rotate();
  const { bundlePem, rootsPem } = hub.roots;
  assert.equal(vouchedRoots(rootPem, bundlePem), rootsPem);
  assert.throws(() => vouchedRoots(rootPem, rootsPem), { kind: "denied" });
  assert.throws(() => vouchedRoots(other.authority.rootPem, bundlePem), { kind: "denied" });
  assert.throws(() => vouchedRoots(rootPem, bundlePem + other.authority.rootPem), { kind: "denied" });
  for (const nothing of ["", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"]) {
    assert.throws(() => vouchedRoots(rootPem, nothing), { kind: "invalid" });
  }
});
