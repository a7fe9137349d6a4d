import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fetchBundle } from "../../../src/daemon/updates/fetch.ts";
import { openAuthority } from "../../../src/hub/enrolment/index.ts";
import { issueServer } from "../../../src/hub/enrolment/issue.ts";
import type { ProxyNames } from "../../../src/wire/proxy.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { startProxy } from "../../fixtures/proxy.ts";

const bundle = Buffer.from("what an update brings");
const sha256 = createHash("sha256").update(bundle).digest("hex");
const names = { "releases.test": "127.0.0.1", "mirror.test": "127.0.0.1" };

/** A server of bundles, which sends who asks for `/latest` on to its mirror, and a proxy, the only one to know where both are. */
async function ground() {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder()).path;
  const authority = await openAuthority({ folder, trustDomain: "", now: Date.now });
  const hosts = ["localhost", ...Object.keys(names)];
  const own = await issueServer(authority, { names: hosts, at: Date.now(), validMs: 3_600_000 });
  const server = createServer({ key: own.keyPem, cert: own.certificatePem }, ({ url }, response) => {
    if (url !== "/latest") return response.end(bundle);
    return response.writeHead(302, { location: `https://mirror.test:${port}/bundle` }).end();
  });
  opened.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const ways: string[] = [];
  const proxy = opened.use(await startProxy({ credentials: "n:p", names, opened: (way) => ways.push(way) }));
  const credentialsFile = join(folder, "credentials");
  writeFileSync(credentialsFile, "n:p\n");
  const to = join(folder, "bundle");
  const owned = opened.move();
  return {
    ...{ port, ways, to, proxy, credentialsFile },
    fetch: (from: string, names: ProxyNames) =>
      fetchBundle(from, sha256, to, {
        ...{ caPem: authority.rootPem, proxy: names, progress: () => {} },
        signal: AbortSignal.timeout(60_000),
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe("a bundle", () => {
  it("is fetched through the proxy that the line takes, wherever its server sends us", async () => {
    await using there = await ground();
    const { port, ways, to, credentialsFile } = there;
    const url = `http://${there.proxy.address}`;
    await there.fetch(`https://releases.test:${port}/latest`, {
      ...{ url, credentialsFile },
      env: { https_proxy: "http://127.0.0.1:1" },
    });
    assert.deepEqual(readFileSync(to), bundle);
    assert.deepEqual(ways, [`releases.test:${port}`, `mirror.test:${port}`]);
    await assert.rejects(there.fetch(`https://releases.test:${port}/`, { env: {}, url }), {
      kind: "unavailable",
      message: /^the proxy at .* opens no way to releases\.test:\d+ \(it answered 407 /,
    });
  });

  it("is fetched directly from a server that is named as one without a proxy", async () => {
    await using there = await ground();
    const url = `http://${there.proxy.address}`;
    await there.fetch(`https://localhost:${there.port}/`, { env: {}, url });
    await assert.rejects(
      there.fetch(`https://releases.test:${there.port}/`, { env: {}, url, noProxy: [".test"] }),
      { kind: "unavailable", message: /cannot be had: getaddrinfo/ },
    );
    assert.deepEqual(there.ways, []);
  });
});
