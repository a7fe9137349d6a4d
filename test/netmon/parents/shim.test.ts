import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { createMacvlan, run, setLinkUp } from "../../../src/netmon/namespaces/index.ts";
import { keepShims, type ShimVnic } from "../../../src/netmon/parents/index.ts";
import { planShims, type ShimsSeen } from "../../../src/netmon/parents/shim.ts";
import { openLan } from "../../fixtures/lan.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { ownName } from "../namespaces/own-network.ts"; // Whoever imports it runs within a namespace of its own.
import { address, link } from "./links.ts";

const { signal } = new AbortController();
const eth0 = link({ name: "eth0", index: 4, addresses: [address("10.77.0.9/24"), address("fd77::9/64")] });
const shim = link({ name: "orch-shim4", index: 12, kind: "macvlan", parentIndex: 4, alias: "orchestrator" });
const vnic = { address: "10.77.0.50", mac: "02:5f:10:00:00:50" };
const nothing = { links: [eth0], routes: [], neighbours: [] } satisfies ShimsSeen;
const whole = {
  links: [eth0, shim],
  routes: [{ dst: vnic.address, dev: "orch-shim4", prefsrc: "10.77.0.9" }],
  neighbours: [{ dst: vnic.address, dev: "orch-shim4", lladdr: vnic.mac }],
} satisfies ShimsSeen;

test("a shim is made with the first vNIC of a parent, mended when it is half made, removed with the last", () => {
  const plan = (seen: ShimsSeen, vnics: ShimVnic[] = [vnic]) => planShims([{ parent: "eth0", vnics }], seen);
  const steps = [
    "ip link add link eth0 name orch-shim4 type macvlan mode bridge",
    "ip link set dev orch-shim4 alias orchestrator",
    "sysctl net/ipv4/conf/orch-shim4/arp_filter=1",
    "sysctl net/ipv6/conf/orch-shim4/disable_ipv6=1",
    "ip link set dev orch-shim4 up",
    "ip neigh replace 10.77.0.50 lladdr 02:5f:10:00:00:50 dev orch-shim4 nud permanent",
    "ip route replace 10.77.0.50 dev orch-shim4 src 10.77.0.9",
  ];
  assert.deepEqual(plan(nothing), steps);
  assert.deepEqual(plan({ ...nothing, links: [eth0, { ...shim, isUp: false }] }), steps.slice(1));
  assert.deepEqual(plan(whole), []);
  for (const wanted of [[], [{ parent: "eth0", vnics: [] }], [{ parent: "eth7", vnics: [vnic] }]])
    assert.deepEqual(planShims(wanted, whole), ["ip link delete dev orch-shim4"]);
  const unaddressed = { ...whole, links: [{ ...eth0, addresses: [] }, shim] };
  assert.deepEqual(plan(unaddressed), ["ip link delete dev orch-shim4"], "nothing to talk from");
  const theirs = link({ name: "macvlan0", index: 13, kind: "macvlan", parentIndex: 4 });
  assert.deepEqual(planShims([], { ...nothing, links: [eth0, theirs] }), []);
});

test("another address or MAC of a vNIC, or of the parent, changes only that", () => {
  const plan = (vnics: ShimVnic[], seen: ShimsSeen = whole) => planShims([{ parent: "eth0", vnics }], seen);
  assert.deepEqual(plan([{ ...vnic, address: "10.77.0.51" }]), [
    "ip neigh delete 10.77.0.50 dev orch-shim4",
    "ip neigh replace 10.77.0.51 lladdr 02:5f:10:00:00:50 dev orch-shim4 nud permanent",
    "ip route delete 10.77.0.50 dev orch-shim4",
    "ip route replace 10.77.0.51 dev orch-shim4 src 10.77.0.9",
  ]);
  assert.deepEqual(plan([{ ...vnic, mac: "02:5f:10:00:00:51" }]), [
    "ip neigh replace 10.77.0.50 lladdr 02:5f:10:00:00:51 dev orch-shim4 nud permanent",
  ]);
  const addresses = [address("192.0.2.9/24"), address("10.77.0.8/24")];
  const moved = { ...whole, links: [{ ...eth0, addresses }, shim] };
  const step = "ip route replace 10.77.0.50 dev orch-shim4 src 10.77.0.8";
  assert.deepEqual(plan([vnic], moved), [step], "from the address in the vNIC's own subnet");
});

/** The plant: this test's namespace is the node, with `eth0` on a LAN where another machine is. */
const lan = await openLan();
after(() => lan[Symbol.asyncDispose]());
const ip = (words: string) => execFileSync("ip", words.split(" "), { encoding: "utf8" });
lan.attach(ownName, "eth0");
ip(`link set lo up`);
ip(`address add ${lan.at(9)}/24 dev eth0`);
ip(`route add default via ${lan.router} src ${lan.at(9)}`);

async function container(own: string, mac: string) {
  const network = ownNetwork();
  const place = { netns: `/run/netns/${network.name}` };
  await createMacvlan({ place, parent: "eth0", name: "lan0", mac, mode: "bridge", signal });
  await setLinkUp(place, "lan0", signal);
  network.ip(`address add ${own}/24 dev lan0`);
  return { place, [Symbol.dispose]: () => network[Symbol.dispose]() };
}

const pings = async (place: { netns?: string }, to: string) =>
  run(place, "busybox", ["ping", "-c1", "-W3", to], { signal }).then(
    () => true,
    () => false,
  );

test("node and vNIC talk both ways, and the LAN knows the node by its own MAC only", async () => {
  using box = await container(lan.at(50), vnic.mac);
  const other = lan.host({ address: lan.at(20) });
  const mac = /link\/ether (\S+)/.exec(ip("link show eth0"))?.[1];
  const routes = ip("route");
  assert.equal(await pings({}, lan.at(50)), false, "MACVLAN forbids it");

  const wanted = [{ parent: "eth0", vnics: [{ address: lan.at(50), mac: vnic.mac }] }];
  await keepShims(wanted, signal);
  assert.equal(await pings({}, lan.at(50)), true);
  assert.equal(await pings(box.place, lan.at(9)), true);
  assert.equal(await pings({}, lan.at(20)), true, "over the parent, as before");
  assert.equal(await pings(box.place, lan.at(20)), true);
  const place = { netns: `/run/netns/${other.network.name}` };
  const answers = await run(place, "busybox", ["arping", "-c2", "-I", "eth0", lan.at(9)], { signal });
  assert.deepEqual(new Set(answers.match(/[0-9a-f]{2}(:[0-9a-f]{2}){5}/g)), new Set([mac]), answers);
  assert.equal(other.macOf(lan.at(9)), mac);
  const before = ip("-details address") + ip("route") + ip("neigh show nud permanent");
  await keepShims(wanted, signal);
  assert.equal(ip("-details address") + ip("route") + ip("neigh show nud permanent"), before);

  await keepShims([], signal);
  assert.deepEqual([ip("route"), /orch-/.test(ip("link"))], [routes, false]);
  assert.equal(await pings({}, lan.at(50)), false);
});

test("when the parent gets another address, the node talks from that one", async () => {
  using box = await container(lan.at(51), "02:5f:10:00:00:51");
  const wanted = [{ parent: "eth0", vnics: [{ address: lan.at(51), mac: "02:5f:10:00:00:51" }] }];
  await keepShims(wanted, signal);
  ip(`address flush dev eth0`);
  ip(`address add ${lan.at(8)}/24 dev eth0`);
  await keepShims(wanted, signal);
  assert.equal(await pings(box.place, lan.at(8)), true);
  assert.match(ip(`route get ${lan.at(51)}`), new RegExp(`dev orch-shim\\d+ src ${lan.at(8)}`));
  assert.equal(await pings({}, lan.at(51)), true);
  await keepShims([], signal);
});

test("a node whose ARP is too strict for a shim is told so, and is left alone", async () => {
  using _box = await container(lan.at(52), "02:5f:10:00:00:52");
  writeFileSync("/proc/sys/net/ipv4/conf/all/arp_ignore", "1");
  const wanted = [{ parent: "eth0", vnics: [{ address: lan.at(52), mac: "02:5f:10:00:00:52" }] }];
  await assert.rejects(keepShims(wanted, signal), {
    kind: "unavailable",
    message: /arp_ignore .* set it to 0/,
  });
  assert.doesNotMatch(ip("link"), /orch-/);
  writeFileSync("/proc/sys/net/ipv4/conf/all/arp_ignore", "0");
});
