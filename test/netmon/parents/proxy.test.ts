import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { LeaseClient } from "../../../src/netmon/lease/index.ts";
import { run } from "../../../src/netmon/namespaces/index.ts";
import {
  ensureProxyLink,
  keepProxies,
  type ProxyWish,
  proxyName,
} from "../../../src/netmon/parents/index.ts";
import { openLan } from "../../fixtures/lan.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";
import { ownName } from "../namespaces/own-network.ts"; // Whoever imports it runs within a namespace of its own.

const { signal } = new AbortController();

/** The plant: this test's namespace is the node, with `eth0` on a LAN where another machine is, and a filter like the engine's. */
const lan = await openLan();
after(() => lan[Symbol.asyncDispose]());
const sh = (line: string) => execFileSync("sh", ["-c", line], { encoding: "utf8", stdio: "pipe" });
lan.attach(ownName, "eth0");
sh(`ip link set lo up
    ip address add ${lan.at(9)}/24 dev eth0
    ip route add default via ${lan.router}
    iptables-nft -N DOCKER-USER
    iptables-nft -A DOCKER-USER -j RETURN
    iptables-nft -A FORWARD -j DOCKER-USER
    iptables-nft -P FORWARD DROP`);
const other = lan.host({ address: lan.at(20) });
const mac = readMac("ip link show eth0");

function readMac(look: string): string {
  return /link\/ether (\S+)/.exec(sh(look))?.[1] ?? "";
}

/** All of the node that a proxied vNIC may change. */
function node() {
  const settings = ["forwarding", "proxy_arp"].map((name) =>
    readFileSync(`/proc/sys/net/ipv4/conf/eth0/${name}`, "utf8"),
  );
  return [
    ...settings,
    sh("ip -br link; ip route; ip neigh show proxy; iptables-nft -S; cat /proc/net/ip_tables_names"),
  ];
}

/** A container with a vNIC `lan0` as it should be inside; what the node does for it is not done yet. */
async function container(owner: string, host: number) {
  const network = ownNetwork();
  const place = { netns: `/run/netns/${network.name}` };
  const own = lan.at(host);
  const plug = { owner, vnic: "lan0", place, mac: `02:5f:10:00:00:${host}` };
  await ensureProxyLink(plug, signal);
  network.ip("link set lan0 up", `address add ${own}/24 dev lan0`, `route add default via ${lan.router}`);
  const wish: ProxyWish = { owner, vnic: "lan0", parent: "eth0", address: own };
  return { own, plug, wish, network, place, [Symbol.dispose]: () => network[Symbol.dispose]() };
}

const pings = async (place: { netns?: string }, to: string) =>
  run(place, "busybox", ["ping", "-c1", "-W3", to], { signal }).then(
    () => true,
    () => false,
  );

test("LAN, node and vNIC talk through the node's one MAC, and everything is as before when it goes", async () => {
  const before = node();
  using box = await container("i1/press", 50);
  assert.equal(await pings(box.place, lan.at(20)), false);
  await keepProxies([box.wish], signal);

  assert.equal(await other.ping(box.own), true);
  assert.equal(other.macOf(box.own), mac, "the LAN sees the parent's MAC only");
  for (const to of [lan.at(20), lan.router, lan.at(9)]) assert.equal(await pings(box.place, to), true, to);
  assert.equal(await pings({}, box.own), true);
  assert.match(sh(`ip route get ${box.own}`), new RegExp(`dev ${proxyName(box.wish)} src ${lan.at(9)}`));
  assert.equal(sh("iptables-nft -S DOCKER-USER").match(/ACCEPT/g)?.length, 2);
  assert.match(box.network.exec("ip", "link", "show", "lan0"), /link\/ether 02:5f:10:00:00:50/);
  assert.equal(readFileSync("/proc/sys/net/ipv4/conf/all/forwarding", "utf8"), "0\n", "only these two links");

  const made = node();
  await ensureProxyLink(box.plug, signal);
  await keepProxies([box.wish], signal);
  assert.deepEqual(node(), made);
  await keepProxies([], signal);
  assert.deepEqual(node(), before);
});

test("two runtimes of nearly one name do not meet, and one that changes leaves the other alone", async () => {
  const before = node();
  using one = await container("i1/production-line-1", 51);
  using two = await container("i1/production-line-10", 52);
  await keepProxies([one.wish, two.wish], signal);
  assert.deepEqual([await other.ping(one.own), await other.ping(two.own)], [true, true]);
  assert.equal(await pings(one.place, two.own), true, "as neighbours on a LAN");

  one.network.ip(`address flush dev lan0`, `address add ${lan.at(53)}/24 dev lan0`);
  await keepProxies([{ ...one.wish, address: lan.at(53) }, two.wish], signal);
  assert.deepEqual([await other.ping(lan.at(53)), await other.ping(two.own)], [true, true]);
  assert.doesNotMatch(node().join(), new RegExp(one.own.replaceAll(".", "\\.")));
  await keepProxies([{ ...one.wish, address: undefined }, two.wish], signal);
  assert.doesNotMatch(node().join(), new RegExp(lan.at(53).replaceAll(".", "\\.")));

  await keepProxies([two.wish], signal);
  assert.equal(await other.ping(two.own), true, "the parent still forwards");
  await keepProxies([], signal);
  assert.deepEqual(node(), before);
});

test("a container that took its link along leaves nothing, and what was cut off is mended", async () => {
  const before = node();
  {
    using box = await container("i1/press", 54);
    await keepProxies([box.wish], signal);
    sh(`ip neigh del proxy ${box.own} dev eth0
        iptables-nft -F DOCKER-USER
        ip route del ${box.own} dev ${proxyName(box.wish)}
        echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding`);
    await keepProxies([box.wish], signal);
    assert.equal(await other.ping(box.own), true);
    sh("iptables-nft -A DOCKER-USER -j RETURN");
  }
  await keepProxies([], signal);
  assert.deepEqual(node(), before);
});

test("a node with both packet filters lets a vNIC through both", async () => {
  using box = await container("i1/press", 57);
  sh("iptables-legacy -P FORWARD DROP");
  await keepProxies([box.wish], signal);
  assert.equal(sh("iptables-legacy -S FORWARD").match(/ACCEPT/g)?.length, 2);
  assert.equal(await other.ping(box.own), true);
  await keepProxies([], signal);
  assert.equal(sh("iptables-legacy -S FORWARD"), "-P FORWARD DROP\n");
  sh("iptables-legacy -P FORWARD ACCEPT");
});

test("an address that the administrator proxies, and forwarding of the whole node, stay theirs", async () => {
  using box = await container("i1/press", 55);
  sh(`ip neigh add proxy ${lan.at(99)} dev eth0`);
  await keepProxies([box.wish], signal);
  sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
  await keepProxies([], signal);
  assert.equal(sh("ip neigh show proxy").trim(), `${lan.at(99)} dev eth0 proxy`);
  assert.equal(node()[0], "1\n");
});

test("leases of proxied vNICs are taken on the parent, where the server knows each by its own client id", async () => {
  await lan.startDhcp({ range: [lan.at(100), lan.at(199)] });
  const before = node();
  await using clients = new AsyncDisposableStack();
  const leased = (own: string) =>
    new Promise<string>((resolve) => {
      const client = LeaseClient.start({
        ...{ place: {}, device: "eth0", mac, hostName: "press", clientId: `01:${own}` },
        ...{ clock: systemClock, random: Math.random },
        log: openLog({ program: "test", level: "silent", format: "json" }),
        onNews: (news) => news.kind === "bound" && resolve(news.lease.address),
      });
      clients.defer(() => client.release(signal));
    });
  using one = await container("i1/press", 58);
  using two = await container("i1/saw", 59);
  const [first, second] = [await leased(one.plug.mac), await leased(two.plug.mac)];
  assert.notEqual(first, second);
  one.network.ip("address flush dev lan0", `address add ${first} dev lan0`);
  two.network.ip("address flush dev lan0", `address add ${second} dev lan0`);
  const [here, there] = [first, second].map((address) => address.split("/")[0] ?? "");
  await keepProxies(
    [
      { ...one.wish, address: here },
      { ...two.wish, address: there },
    ],
    signal,
  );
  assert.deepEqual([await other.ping(here ?? ""), await other.ping(there ?? "")], [true, true]);
  await keepProxies([], signal);
  await clients.disposeAsync();
  await until("both are given back", () => lan.leases().length === 0);
  assert.deepEqual(node(), before);
});

test("a link of the vNIC's name that is another's is a conflict, and stays", async () => {
  using network = ownNetwork();
  network.ip("link add lan0 type veth peer name far");
  const place = { netns: `/run/netns/${network.name}` };
  const plug = { owner: "i1/press", vnic: "lan0", place, mac: "02:5f:10:00:00:56" };
  await assert.rejects(ensureProxyLink(plug, signal), { kind: "conflict", message: /called lan0: rename/ });
  assert.match(network.exec("ip", "link"), /lan0@far/);
});
