import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { proxyOf } from "../../src/wire/proxy.ts";
import { tunnel } from "../../src/wire/tunnel.ts";
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

/** Says hello to whoever comes. */
async function listener() {
  const server = createServer((socket) => socket.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("nobody listens");
  return { address: `127.0.0.1:${address.port}`, [Symbol.asyncDispose]: async () => void server.close() };
}
