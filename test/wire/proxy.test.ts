import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openAuthority } from "../../src/hub/enrolment/index.ts";
import { issueServer } from "../../src/hub/enrolment/issue.ts";
import { proxyOf, proxyWithCredentials } from "../../src/wire/proxy.ts";
import { tunnel } from "../../src/wire/tunnel.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { startProxy } from "../fixtures/proxy.ts";

const signal = AbortSignal.timeout(60_000);

describe("the proxy of an address", () => {
  const proxy = "http://proxy.example:3128";
  for (const [address, env, expected] of [
    ["hub.example.com:7444", {}, undefined],
    ["hub.example.com:7444", { https_proxy: "" }, undefined],
    ["hub.example.com:7444", { https_proxy: proxy }, proxy],
    ["hub.example.com:7444", { http_proxy: proxy }, proxy],
    ["hub.example.com:7444", { https_proxy: proxy, http_proxy: "http://other:1" }, proxy],
    ["hub.example.com:7444", { https_proxy: proxy, no_proxy: "localhost,.example.com" }, undefined],
    ["hub.example.com:7444", { https_proxy: proxy, no_proxy: "," }, proxy],
    ["10.1.2.3:7444", { https_proxy: proxy, no_proxy: "10.0.0.0/8" }, undefined],
    ["11.1.2.3:7444", { https_proxy: proxy, no_proxy: "10.0.0.0/8" }, proxy],
    ["[fd00::1]:7444", { https_proxy: proxy, no_proxy: "fd00::1" }, undefined],
    ["hub.example.com:7444", { HTTPS_PROXY: proxy, NO_PROXY: "other.com, *.example.com" }, undefined],
    ["hub.example.com:7444", { https_proxy: proxy, no_proxy: "hub.example.com:7443" }, proxy],
    ["hub.example.com:7444", { https_proxy: proxy, no_proxy: "hub.example.com:7444" }, undefined],
    ["badexample.com:7444", { https_proxy: proxy, no_proxy: "example.com" }, proxy],
    ["hub.example.com:7444", { https_proxy: proxy, no_proxy: "*" }, undefined],
    ["[fd00::1]:7444", { https_proxy: proxy, no_proxy: "fd00::/8,[::2]:1" }, undefined],
    ["[fe00::1]:7444", { https_proxy: proxy, no_proxy: "fd00::/8" }, proxy],
    ["localhost:7444", { https_proxy: proxy }, undefined],
    ["127.0.0.1:7444", { https_proxy: proxy }, undefined],
    ["[::1]:7444", { https_proxy: proxy }, undefined],
  ] as const) {
    it(`of ${address} with ${JSON.stringify(env)} is ${expected ?? "none"}`, () => {
      assert.equal(proxyOf(address, { env })?.origin, expected);
    });
  }

  it("is refused when it is no proxy, without telling what may be a password", () => {
    for (const bad of ["proxy.example", "http://", "socks5://u:secret@proxy.example"]) {
      assert.throws(() => proxyOf("hub:7444", { env: { https_proxy: bad } }), {
        kind: "invalid",
        message: "the variable https_proxy does not name a proxy: set it to http://host:port",
      });
    }
  });
});

describe("a way through a proxy", () => {
  it("leads to the address, or the proxy's answer is told", async () => {
    await using there = await listener();
    const ways: string[] = [];
    using proxy = await startProxy({ credentials: "u:p$a", opened: (target) => ways.push(target) });
    const by = (user: string) => tunnel(new URL(`http://${user}@${proxy.address}`), there.address, signal);
    await assert.rejects(by("u:wrong"), {
      kind: "unavailable",
      message: /the proxy at .* opens no way to .* \(it answered 407 Proxy Authentication Required\)/,
    });
    const way = await by("u:p$a");
    assert.equal(String((await once(way, "data"))[0]), "hello");
    way.destroy();
    assert.deepEqual(ways, [there.address]);
  });
});

describe("the name and password of a proxy", () => {
  it("are those of the file, which is read at each dial, and no sentence holds them", async () => {
    using folder = tempFolder();
    const credentialsFile = join(folder.path, "credentials");
    const names = { env: { https_proxy: "http://other:x@proxy:3128" }, credentialsFile };
    await assert.rejects(proxyWithCredentials("hub:1", names), {
      kind: "unavailable",
      message: /cannot be read/,
    });
    for (const bad of ["", "no colon", "n:p\nq:r"]) {
      writeFileSync(credentialsFile, bad);
      await assert.rejects(proxyWithCredentials("hub:1", names), {
        kind: "invalid",
        message: `${credentialsFile} does not hold name:password of the proxy on one line`,
      });
    }
    writeFileSync(credentialsFile, "n:p:a$s@/\n");
    const found = await proxyWithCredentials("hub:1", names);
    assert.deepEqual([found?.username, decodeURIComponent(found?.password ?? "")], ["n", "p:a$s@/"]);
  });
});

describe("a proxy that is spoken to by TLS", () => {
  it("is believed when its authority is named, and else its certificate is", async () => {
    using folder = tempFolder();
    const authority = await openAuthority({ folder: folder.path, trustDomain: "", now: Date.now });
    const own = await issueServer(authority, { names: ["localhost"], at: Date.now(), validMs: 60_000 });
    const caFile = join(folder.path, "proxy.pem");
    writeFileSync(caFile, authority.rootPem);
    await using there = await listener();
    using proxy = await startProxy({
      credentials: "n:p",
      opened: () => {},
      tls: { key: own.keyPem, cert: own.certificatePem + authority.rootPem },
    });
    const url = new URL(`https://n:p@localhost:${proxy.address.split(":")[1]}`);
    await assert.rejects(tunnel(url, there.address, signal), {
      kind: "denied",
      message:
        /^the certificate of the proxy at localhost:\d+ is not trusted here \(it comes from .*fingerprint [0-9A-F:]{95}\): name its authority in line\.proxy_ca_file$/,
    });
    const way = await tunnel(url, there.address, signal, { caFile });
    assert.equal(String((await once(way, "data"))[0]), "hello");
    way.destroy();
  });
});

/** Says hello to whoever comes. */
async function listener() {
  const server = createServer((socket) => socket.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("nobody listens");
  return { address: `127.0.0.1:${address.port}`, [Symbol.asyncDispose]: async () => void server.close() };
}
