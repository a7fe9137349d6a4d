/** A node's way in, from the token to its place in the fleet, and each way to be refused. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Enrolment } from "../../../gen/edge/v1/enrolment_pb.ts";
import { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { enrol } from "../../../src/daemon/identity/index.ts";
import { newKeyPem, signingRequest } from "../../../src/daemon/identity/request.ts";
import { fromConnectError } from "../../../src/wire/failures.ts";
import { nodeIdOf } from "../../../src/wire/tls.ts";
import { readToken, type TokenContent, writeToken } from "../../../src/wire/token.ts";
import { startHub, type TestHub } from "../../fixtures/hub.ts";

describe("enrolment over the API", () => {
  let hub: TestHub;
  let other: TestHub;
  let csrDer: Uint8Array;
  before(async () => {
    hub = await startHub({ ORCHESTRATOR_HUB_TRUST_DOMAIN: "plant.example" });
    other = await startHub();
    csrDer = signingRequest(await newKeyPem(), "edge-1");
  });
  after(async () => {
    await hub[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  /** Enrols as a node does. */
  const enrolNode = async (name: string, token: string) => {
    const dataDir = join(hub.folder, name);
    await mkdir(dataDir, { recursive: true });
    const signal = AbortSignal.timeout(60_000);
    return enrol({
      dataDir,
      token: async () => token,
      hostName: name,
      proxy: { env: {} },
      force: false,
      signal,
    });
  };
  const newToken = async (validForMs = 0n, at = hub) =>
    (await at.client(Fleet).createEnrolmentToken({ validForMs, note: "a test" })).token;
  /** What the hub says to a request that no daemon of ours would send. */
  const answer = async (token: TokenContent, csr = csrDer): Promise<string> => {
    const request = { tokenId: token.id, tokenSecret: token.secret, csrDer: csr, hostName: "edge-1" };
    try {
      return (await hub.client(Enrolment, "").enroll(request)).nodeId;
    } catch (thrown) {
      const { kind, message } = fromConnectError(thrown);
      return `${kind}: ${message}`;
    }
  };

  it("gives a node its identity and its place in the fleet", async () => {
    const { identity } = await enrolNode("edge-1", await newToken());

    const certificate = new X509Certificate(identity.certificatePem);
    assert.equal(nodeIdOf(certificate, "plant.example"), identity.nodeId);
    assert.deepEqual(identity.lineAddresses, [hub.line]);
    const [node] = (await hub.client(Fleet).listNodes({ ids: [identity.nodeId] })).nodes;
    assert.equal(node?.hostName, "edge-1");
    assert.equal(node.connected, false);
    assert.equal(Number(node.certificateExpiresAt?.seconds) * 1000, certificate.validToDate.getTime());
    const { tokens } = await hub.client(Fleet).listEnrolmentTokens({});
    assert.equal(tokens.find((one) => one.usedBy === identity.nodeId)?.note, "a test");
  });

  it("says which of the things that can be wrong with a token it is", async () => {
    const used = await newToken();
    await enrolNode("edge-2", used);
    const foreign = { ...readToken(await newToken()), id: readToken(await newToken(0n, other)).id };
    const forged = { ...readToken(await newToken()), secret: new Uint8Array(32) };
    const revoked = readToken(await newToken());
    await hub.client(Fleet).revokeEnrolmentToken({ id: revoked.id });
    const elsewhere = { ...readToken(await newToken()), addresses: [new URL(other.url).host] };

    await assert.rejects(enrolNode("edge-3", used), { kind: "denied", message: /already used, by node n-/ });
    await assert.rejects(enrolNode("edge-3", await newToken(1n)), {
      kind: "denied",
      message: /the token expired at 20.*hub token create/,
    });
    await assert.rejects(enrolNode("edge-3", writeToken(foreign)), { message: /is not one of this hub/ });
    await assert.rejects(enrolNode("edge-3", writeToken(forged)), { message: /the token is forged/ });
    await assert.rejects(enrolNode("edge-3", writeToken(revoked)), { message: /the token was revoked/ });
    // The node says this one itself, and never sends its secret: the hub there has another CA.
    await assert.rejects(enrolNode("edge-3", writeToken(elsewhere)), { kind: "denied" });
    const refused = hub.logged.filter(({ msg }) => msg === "enrolment refused");
    assert.equal(refused.length, 5);
  });

  it("a wrong signing request uses up no token, and a lost answer may be asked for again", async () => {
    const token = readToken(await newToken());
    const changed = Buffer.from(csrDer);
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1);

    assert.match(await answer(token, changed), /^invalid: csr_der: the signature of .* is wrong/);
    assert.match(
      await answer(token, Buffer.from("hello")),
      /^invalid: csr_der: is not a certificate signing request/,
    );
    assert.match(
      await answer(token, new Uint8Array(9000)),
      /^invalid: csr_der: is 9000 bytes long; at most 8192/,
    );
    assert.equal(
      await answer({ ...token, id: "", secret: new Uint8Array() }),
      "invalid: token_id: is required; token_secret: is required",
    );
    const first = await answer(token);
    assert.match(first, /^n-/);
    assert.equal(await answer(token), first);
    await hub.client(Fleet).removeNode({ id: first });
    assert.match(await answer(token), /^denied: .* which was removed from the fleet since/);
  });

  it("who is refused again and again has to wait, and others at the same address do not", async () => {
    const forged = { ...readToken(await newToken()), secret: new Uint8Array(32) };
    const said: string[] = [];
    for (let attempt = 0; attempt < 21; attempt++) said.push(await answer(forged));
    assert.match(said.at(-2) ?? "", /^denied/);
    assert.match(
      said.at(-1) ?? "",
      /^exhausted: this token was refused 20 times within a minute: try again in/,
    );
    assert.match(await answer(readToken(await newToken())), /^n-/);
  });
});
