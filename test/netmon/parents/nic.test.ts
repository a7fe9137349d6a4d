import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Netns } from "../../../src/netmon/namespaces/index.ts";
import { giveBackNic, recordNic, returnNic, takeNic } from "../../../src/netmon/parents/index.ts";
import { planReturn } from "../../../src/netmon/parents/nic.ts";
import { type NicRoute, routesToRecord, whyNot } from "../../../src/netmon/parents/nic-record.ts";
import { openLan } from "../../fixtures/lan.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";
import { ownName } from "../namespaces/own-network.ts"; // Whoever imports it runs within a namespace of its own.
import { address, link } from "./links.ts";

const { signal } = new AbortController();
const sh = (line: string) => execFileSync("sh", ["-c", line], { encoding: "utf8", stdio: "pipe" });
const now = 1_000_000;

/**
 * A node with a NIC `eth1`, which is the end of a cable, that has a life behind it. Such a cable ends with the namespace in which an
 * end of it is, where the kernel gives hardware back to the node: so if it comes back, we brought it.
 */
async function node() {
  await using opened = new AsyncDisposableStack();
  const lan = opened.use(await openLan());
  const cable = lan.attach(ownName, "eth1", { mac: "02:5f:10:00:00:77" });
  opened.defer(() => void sh("ip link delete eth1 2>/dev/null || true"));
  // The kernel need not spend a second on asking who else has an IPv6 address.
  sh("echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad");
  sh(`ip link set lo up
      ip link set eth1 mtu 1400
      ip address add ${lan.at(9)}/24 broadcast + dev eth1
      ip address add 192.0.2.9/24 broadcast + dev eth1
      ip address add fd77::9/64 dev eth1
      ip route add 198.51.100.0/24 via ${lan.at(7)} dev eth1 proto static metric 50 src 192.0.2.9
      ip route add 203.0.113.0/24 via 203.0.113.1 dev eth1 onlink table 77
      ip -6 route add 2001:db8::/32 via fd77::7 dev eth1`);
  const isUp = () => sh("ip -o link show eth1").includes(" state UP ");
  await until("its addresses and its carrier", () => isUp() && !sh("ip address").includes("tentative"));
  const host = lan.host({ address: lan.at(20) });
  const owned = opened.move();
  return { lan, cable, host, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** What is true of the NIC, without what comes by itself or counts on. */
function state() {
  const links = sh("ip -o link show eth1").replace(/^\d+: /, "");
  const said = sh(
    "ip -4 route show table all; ip -6 route show table all; ip -o address show dev eth1 scope global",
  );
  // The kernel puts an address's own routes where it pleases.
  return [
    links,
    ...said
      .replaceAll(/^\d+: /gm, "")
      .split("\n")
      .toSorted(),
  ];
}

/** A container's first process, in a network namespace of its own. */
async function container() {
  const child = spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
  const ended = once(child, "exit");
  const pid = child.pid ?? assert.fail("no process");
  const own = sh("readlink /proc/self/ns/net");
  await until("its namespace", () => sh(`readlink /proc/${pid}/ns/net`) !== own);
  const startTicks = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19] ?? "";
  const netns = await Netns.open({ containerId: "c".repeat(64), pid, startTicks });
  const die = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  return {
    ...{ die, place: netns.place },
    [Symbol.asyncDispose]: async () => {
      await die();
      await netns[Symbol.asyncDispose]();
    },
  };
}

test("a NIC moves into a container as a whole, works there, and comes back as it was", async () => {
  await using on = await node();
  const before = state();
  await using box = await container();
  const { place } = box;
  const recorded = await recordNic({ nic: "eth1", usedBy: [], now }, signal);
  const nic = { recorded: JSON.parse(JSON.stringify(recorded)), place, name: "ethercat" };
  await takeNic(nic, signal);
  const inside = (words: string) => sh(`nsenter --net=${box.place.netns} ${words}`);
  assert.match(inside("ip -o link show ethercat"), /<[A-Z,_]*UP.* mtu 1400 .*02:5f:10:00:00:77/);
  assert.throws(() => sh("ip link show eth1 2>/dev/null"), "the node has it no more");
  inside(`ip address add ${on.lan.at(60)}/24 dev ethercat`);
  assert.equal(await on.host.ping(on.lan.at(60)), true);

  inside("ip link set ethercat down");
  inside("ip link set ethercat name eth1");
  await takeNic(nic, signal);
  assert.match(inside("ip -o link show ethercat"), /<[A-Z,_]*UP/, "whoever asks again gets it as promised");
  assert.equal(await giveBackNic(nic, now, signal), true);
  await until("as before", () => assert.deepEqual(state(), before) ?? true);
  assert.equal(await on.host.ping(on.lan.at(9)), true);
  assert.equal(await giveBackNic(nic, now, signal), true, "again");
  assert.deepEqual(state(), before);
});

test("a container that was killed gives its NIC back, because its namespace is held; what it did to it is undone", async () => {
  await using on = await node();
  const before = state();
  await using box = await container();
  const recorded = await recordNic({ nic: "eth1", usedBy: [], now }, signal);
  const nic = { recorded, place: box.place, name: "lan0" };
  await takeNic(nic, signal);
  sh(`nsenter --net=${box.place.netns} sh -c 'ip link set lan0 down
      ip link set lan0 mtu 1300 address 02:5f:10:00:00:78 up
      ip address add 10.1.1.1/8 dev lan0'`);
  await box.die();
  assert.equal(await giveBackNic(nic, now, signal), true);
  await until("as before", () => assert.deepEqual(state(), before) ?? true);
  assert.equal(await on.host.ping(on.lan.at(9)), true);
});

test("a NIC that the kernel gave back under another name is found and restored; one that is nowhere is told", async () => {
  const recorded = await (async () => {
    await using _on = await node();
    const before = state();
    const recorded = await recordNic({ nic: "eth1", usedBy: [], now }, signal);
    sh("ip address flush dev eth1; ip link set eth1 down; ip link set eth1 name dev7 mtu 1500");
    assert.equal(await returnNic(recorded, now, signal), true);
    await until("as before", () => assert.deepEqual(state(), before) ?? true);

    sh(
      "ip address flush dev eth1; ip link set eth1 down; ip link set eth1 name lan0; ip link add eth1 type veth",
    );
    assert.equal(await returnNic(recorded, now, signal), true);
    assert.match(
      sh("ip -o address show dev nic025f10000077"),
      /192\.0\.2\.9/,
      "its name is another's by now",
    );
    sh("ip link delete eth1; ip link delete nic025f10000077");
    return recorded;
  })();
  assert.equal(await returnNic(recorded, now, signal), false);
  using network = ownNetwork();
  const nic = { recorded, place: { netns: `/run/netns/${network.name}` }, name: "lan0" };
  await assert.rejects(takeNic(nic, signal), { kind: "not_found", message: /eth1 \(02:5f/ });
  assert.equal(await giveBackNic(nic, now, signal), false);
});

test("a NIC that the node needs is refused, and one that cannot be named in the container stays", async () => {
  await using on = await node();
  const recording = recordNic({ nic: "eth1", usedBy: ["press/lan0"], now }, signal);
  await assert.rejects(recording, { kind: "conflict", message: /the parent of press\/lan0: detach that/ });
  const recorded = await recordNic({ nic: "eth1", usedBy: [], now }, signal);
  using network = ownNetwork();
  network.ip("link add lan0 type veth peer name far");
  const nic = { recorded, place: { netns: `/run/netns/${network.name}` }, name: "lan0" };
  await assert.rejects(takeNic(nic, signal), { kind: "conflict" });
  assert.equal(await on.host.ping(on.lan.at(9)), true, "untouched");
  sh(`ip route add default via ${on.lan.router} dev eth1 metric 900`);
  const again = recordNic({ nic: "eth1", usedBy: [], now }, signal);
  await assert.rejects(again, { kind: "conflict", message: /carries the node's default route/ });
});

test("what is a NIC, and who else needs it, goes by what links are", () => {
  const eth1 = link({ name: "eth1", index: 2 });
  const why = (one = eth1, others = [eth1], hasDefaultRoute = false) =>
    whyNot(one, { all: others, usedBy: [], hasDefaultRoute });
  assert.equal(why(), undefined);
  assert.match(why({ ...eth1, kind: "bridge" }) ?? "", /no NIC \(bridge\)/);
  assert.match(why({ ...eth1, isLoopback: true }) ?? "", /no NIC \(loopback\)/);
  assert.match(why({ ...eth1, kind: "veth", alias: "orchestrator" }) ?? "", /no NIC \(veth\)/);
  assert.match(why({ ...eth1, master: "bond0" }) ?? "", /a port of bond0: take it out of there/);
  const vlan = link({ name: "eth1.7", index: 5, kind: "vlan", parentIndex: 2 });
  assert.match(why(eth1, [eth1, vlan]) ?? "", /eth1\.7 is made upon eth1/);
  assert.equal(why(eth1, [eth1, { ...vlan, parentIndex: 3 }]), undefined);
});

test("routes are recorded but for those that come by themselves; a lease is restored while it lasts", () => {
  const route = (of: Partial<NicRoute>): NicRoute => ({
    ...{ type: "unicast", dst: "10.0.0.0/8", protocol: "static", flags: [] },
    ...of,
  });
  const via = { family: "inet6", host: "fe80::1" };
  const all = [
    route({ gateway: "192.0.2.1", metric: 5, flags: ["onlink"] }),
    route({ protocol: "kernel" }),
    route({ protocol: "ra", dst: "default" }),
    route({ type: "local" }),
    route({ via, table: "7" }),
    route({ scope: "link", prefsrc: "192.0.2.9" }),
  ];
  assert.deepEqual(routesToRecord(all, "eth1"), [
    "10.0.0.0/8 dev eth1 proto static scope link src 192.0.2.9",
    "10.0.0.0/8 via 192.0.2.1 dev eth1 proto static metric 5 onlink",
    "10.0.0.0/8 via inet6 fe80::1 dev eth1 table 7 proto static",
  ]);
  const nic = link({ name: "eth1", index: 2, addresses: [address("192.0.2.9/24")] });
  const addresses = [
    { address: "192.0.2.9/24" },
    { address: "10.0.0.9/8", validUntil: now + 59_500 },
    { address: "10.0.0.8/8", validUntil: now },
  ];
  const recorded = { ...nic, addresses, routes: [] };
  assert.deepEqual(planReturn(recorded, nic, [nic], now), [
    "ip link set dev eth1 up",
    "ip address replace 10.0.0.9/8 broadcast + dev eth1 valid_lft 60 preferred_lft 60",
  ]);
});
