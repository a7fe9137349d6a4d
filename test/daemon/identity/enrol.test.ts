/** Enrolment from the node's side, at a real hub. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { enrol, identityFile, readIdentity } from "../../../src/daemon/identity/index.ts";
import { readToken, writeToken } from "../../../src/wire/token.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { startHub, type TestHub } from "../../fixtures/hub.ts";

const signal = AbortSignal.timeout(60_000);

async function newToken(hub: TestHub): Promise<string> {
  return (await hub.client(Fleet).createEnrolmentToken({})).token;
}

function enrolWith(dataDir: string, token: string, force = false) {
  return enrol({ dataDir, token: async () => token, hostName: "press", proxy: { env: {} }, force, signal });
}

describe("enrolment of a node", () => {
  it("writes an identity that only its owner reads, keeps it, and changes it when forced", async () => {
    using folder = tempFolder();
    await using hub = await startHub();
    const first = await enrolWith(folder.path, await newToken(hub));
    assert.equal(first.kept, false);
    assert.deepEqual(await readIdentity(folder.path), first.identity);
    assert.equal(statSync(identityFile(folder.path)).mode & 0o777, 0o600);
    assert.equal(existsSync(join(folder.path, "enrolling.json")), false);

    // The token is not even looked at.
    const again = await enrolWith(folder.path, "not a token");
    assert.deepEqual(again, { identity: first.identity, kept: true });

    const forced = await enrolWith(folder.path, await newToken(hub), true);
    assert.notEqual(forced.identity.nodeId, first.identity.nodeId);
  });

  it("that was cut off after the hub's answer ends with the same node and the same token", async () => {
    using folder = tempFolder();
    await using hub = await startHub();
    const token = await newToken(hub);
    const lost = await enrolWith(folder.path, token);
    // As a crash leaves it: the key is there, the identity is not.
    const pending = { tokenId: readToken(token).id, keyPem: lost.identity.keyPem };
    rmSync(identityFile(folder.path));
    writeFileSync(join(folder.path, "enrolling.json"), JSON.stringify(pending));
    const { identity } = await enrolWith(folder.path, token);
    assert.equal(identity.nodeId, lost.identity.nodeId);
    assert.equal(identity.keyPem, lost.identity.keyPem);
  });

  it("tells its secret to no hub but that of the token", async () => {
    using folder = tempFolder();
    await using hub = await startHub();
    await using other = await startHub();
    const content = readToken(await newToken(hub));
    const misled = writeToken({ ...content, addresses: [new URL(other.url).host] });
    await assert.rejects(enrolWith(folder.path, misled), {
      kind: "denied",
      message:
        /is not the hub of this token: its root has the fingerprint [0-9a-f]{64}, the token wants [0-9a-f]{64}/,
    });
    assert.equal((await hub.client(Fleet).listNodes({})).nodes.length, 0);
    assert.equal(
      other.logged.some((line) => JSON.stringify(line).includes(content.id)),
      false,
    );
    assert.equal(await readIdentity(folder.path), undefined);
  });

  it("tries the next address when nobody answers at one, and says so when nobody does anywhere", async () => {
    using folder = tempFolder();
    await using hub = await startHub();
    const content = readToken(await newToken(hub));
    const nowhere = writeToken({ ...content, addresses: ["127.0.0.1:1"] });
    await assert.rejects(enrolWith(folder.path, nowhere), {
      kind: "unavailable",
      message: /no hub answers at 127\.0\.0\.1:1 \(connect ECONNREFUSED/,
    });
    const second = writeToken({ ...content, addresses: ["127.0.0.1:1", ...content.addresses] });
    const { identity } = await enrolWith(folder.path, second);
    assert.match(identity.nodeId, /^n-/);
    assert.match(readFileSync(identityFile(folder.path), "utf8"), /BEGIN PRIVATE KEY/);
  });
});
