import { ownName } from "./own-network.ts"; // First: the rest of this file runs within it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import {
  addAddress,
  announce,
  createIpvlan,
  createMacvlan,
  findMac,
  moveLink,
  observe,
  type Place,
  probeAddress,
  probeOnParent,
  removeAddress,
  removeLink,
  removeRoute,
  replaceRoute,
  run,
  setIpv6,
  setLinkDown,
  setLinkUp,
  setMac,
} from "../../../src/netmon/namespaces/index.ts";
import { openLan } from "../../fixtures/lan.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";

const { signal } = new AbortController();
const clock = systemClock;
const macs = { first: "02:5f:10:00:00:01", second: "02:5f:10:00:00:02" };

/** The plant: this test's namespace is the node, with `eth0` on a LAN where another machine is. */
const lan = await openLan({ subnet6: "fd77::/64" });
after(() => lan[Symbol.asyncDispose]());
const cable = lan.attach(ownName, "eth0");
const neighbour = lan.host({ address: lan.at(20) });

/** A namespace as a container's, with a MACVLAN link `lan0` upon `eth0`. */
async function container(mac: string, mode: "bridge" | "private" = "bridge") {
  const network = ownNetwork();
  const place: Place = { netns: `/run/netns/${network.name}` };
  await createMacvlan({ place, parent: "eth0", name: "lan0", mac, mode, signal });
  return { network, place, [Symbol.dispose]: () => network[Symbol.dispose]() };
}

async function linkIn(place: Place, name = "lan0") {
  return (await observe(place, signal)).links.find((link) => link.name === name);
}

test("a link with an address and a route is a machine of its own on the LAN", async () => {
  using box = await container(macs.first);
  const { place } = box;
  const made = await linkIn(place);
  assert.partialDeepStrictEqual(made, { mac: macs.first, kind: "macvlan", mode: "bridge", isUp: false });
  assert.equal(made?.parentIndex, (await linkIn({}, "eth0"))?.index);

  await setLinkUp(place, "lan0", signal);
  await addAddress(place, "lan0", `${lan.at(50)}/24`, { signal });
  const route = { destination: "0.0.0.0/0", gateway: lan.router, device: "lan0", metric: 100 };
  await replaceRoute(place, route, signal);
  assert.equal(await neighbour.arping(lan.at(50)), macs.first);
  assert.equal(await neighbour.ping(lan.at(50)), true);

  const { routes } = await observe(place, signal);
  assert.partialDeepStrictEqual(
    routes.find((one) => one.destination === "0.0.0.0/0"),
    route,
  );

  // What is gone already is the same success.
  const remove = async () => {
    await removeRoute(place, route, signal);
    await removeAddress(place, "lan0", `${lan.at(50)}/24`, signal);
  };
  await remove();
  await remove();
  const left = await observe(place, signal);
  assert.ok(!left.routes.some(({ destination }) => destination === "0.0.0.0/0"));
  await removeLink(place, "lan0", signal);
  assert.equal(await linkIn(place), undefined);
  await removeLink(place, "lan0", signal);
  await remove();
});

test("two vNICs on one LAN are two stations", async () => {
  using box = await container(macs.first);
  const { place } = box;
  await createMacvlan({ place, parent: "eth0", name: "lan1", mac: macs.second, mode: "bridge", signal });
  const [first, second] = [lan.at(50), lan.at(51)];
  for (const [name, address] of [
    ["lan0", first],
    ["lan1", second],
  ] as const) {
    await setLinkUp(place, name, signal);
    await addAddress(place, name, `${address}/24`, { signal });
  }
  for (const [address, mac] of [
    [first, macs.first],
    [second, macs.second],
  ] as const) {
    const ask = ["arping", "-c", "1", "-w", "1", "-I", "eth0", address];
    const said = await run({ netns: `/run/netns/${neighbour.network.name}` }, "busybox", ask, { signal });
    const answers = new Set(said.match(/[0-9a-f:]{17}/g));
    assert.deepEqual([...answers], [mac]);
    assert.equal(await neighbour.ping(address), true);
  }
});

test("a lease's address ends by itself, and to give it again only gives it time", async () => {
  using box = await container(macs.first);
  const { place } = box;
  const give = (validSeconds: number) =>
    addAddress(place, "lan0", `${lan.at(50)}/24`, { validSeconds, signal });
  await setLinkUp(place, "lan0", signal);
  await give(1000);
  // The kernel takes this route away for good with the address, be it for a moment.
  box.network.ip(`route add 10.99.0.0/16 via ${lan.router} src ${lan.at(50)}`);
  await give(5000.7);
  const { links, routes } = await observe(place, signal);
  const addresses = links.flatMap((link) => link.addresses.filter(({ family }) => family === "ipv4"));
  assert.equal(addresses.length, 1);
  const [{ address, validSeconds = 0 } = assert.fail()] = addresses;
  assert.equal(address, `${lan.at(50)}/24`);
  assert.ok(validSeconds > 4000 && validSeconds <= 5000, `${validSeconds}`);
  assert.ok(routes.some(({ destination }) => destination === "10.99.0.0/16"));

  await give(1);
  await until("the kernel took it away", async () => {
    const link = await linkIn(place);
    return link?.addresses.every(({ family }) => family === "ipv6");
  });
});

test("what cannot be is said with its kind", async () => {
  using box = await container(macs.first);
  const { place } = box;
  const other = { place, parent: "eth0", name: "lan1", mac: macs.first, mode: "bridge", signal } as const;
  await assert.rejects(createIpvlan({ place, parent: "nic9", name: "lan1", signal }), { kind: "not_found" });
  await assert.rejects(createMacvlan({ ...other, name: "lan0" }), { kind: "conflict" });
  await assert.rejects(addAddress(place, "lan9", "10.0.0.1/24", { signal }), { kind: "not_found" });
  await assert.rejects(addAddress(place, "lan0", "10.0.0.999/24", { signal }), { kind: "invalid" });
  await assert.rejects(run({ netns: "/run/netns/none" }, "ip", ["link"], { signal }), { kind: "not_found" });
  await assert.rejects(run(place, "no-such-program", [], { signal }), { kind: "unavailable" });
  const called = AbortSignal.abort(new Error("called off"));
  await assert.rejects(observe(place, called), { message: "called off" });

  // Of two links with one MAC upon one parent, the first that is up has it.
  await createMacvlan(other);
  await setLinkUp(place, "lan0", signal);
  const message = /cannot set lan1 up: .*another link on the same parent has this MAC/;
  await assert.rejects(setLinkUp(place, "lan1", signal), { kind: "conflict", message });
  await setMac(place, "lan1", macs.second, signal);
  await setLinkUp(place, "lan1", signal);
});

test("a link moves with another name, and back", async () => {
  using box = ownNetwork();
  const place = { netns: `/run/netns/${box.name}` };
  box.ip("link add eth0 type veth peer name eth1");
  lan.attach(ownName, "eth7");
  await moveLink({ from: {}, name: "eth7", to: place, newName: "field0", signal });
  assert.equal((await linkIn(place, "field0"))?.kind, "veth");
  await assert.rejects(moveLink({ from: place, name: "field0", to: place, newName: "eth0", signal }), {
    kind: "conflict",
  });
  await moveLink({ from: place, name: "field0", to: {}, newName: "eth7", signal });
  assert.equal(await linkIn(place, "field0"), undefined);
  await removeLink({}, "eth7", signal);
});

test("who has an address is asked before it is used, also before there is a container", async () => {
  using box = await container(macs.first);
  const { place } = box;
  await setLinkUp(place, "lan0", signal);
  const ask = { place, device: "lan0", signal };
  assert.equal(await probeAddress({ ...ask, address: `${lan.at(20)}/24` }), neighbour.mac);

  const before = { parent: "eth0", mac: macs.second, mode: "bridge", signal } as const;
  assert.equal(await probeOnParent({ ...before, address: lan.at(20) }), neighbour.mac);
  // Another runtime on the same parent answers too.
  await addAddress(place, "lan0", `${lan.at(50)}/24`, { signal });
  assert.equal(await probeOnParent({ ...before, address: lan.at(50) }), macs.first);
  const [inside, outside] = await Promise.all([
    probeAddress({ ...ask, address: lan.at(60) }),
    probeOnParent({ ...before, address: lan.at(60) }),
  ]);
  assert.deepEqual([inside, outside], [undefined, undefined]);
  await assert.rejects(probeOnParent({ ...before, mac: macs.first, address: lan.at(60) }), {
    kind: "conflict",
  });

  cable.unplug();
  await assert.rejects(probeAddress({ ...ask, address: lan.at(20) }), { kind: "unavailable" });
  await assert.rejects(probeOnParent({ ...before, address: lan.at(20) }), { kind: "unavailable" });
  await assert.rejects(findMac({ parent: "eth0", mac: macs.second, clock, signal }), { kind: "unavailable" });
  cable.plug();
  const { links } = await observe({}, signal);
  assert.deepEqual(links.map(({ name }) => name).sort(), ["eth0", "lo"], "nothing is left of a trial");
  // The MAC is free again at once.
  await setLinkDown(place, "lan0", signal);
  await setMac(place, "lan0", macs.second, signal);
  await setLinkUp(place, "lan0", signal);
});

test("a trial ends with netmon, also when that is killed", async () => {
  const script = `
    const { onTrial } = await import("${new URL("../../../src/netmon/namespaces/trial.ts", import.meta.url).href}");
    const trial = { parent: "eth0", mac: "${macs.second}", mode: "bridge", signal: new AbortController().signal };
    setInterval(() => {}, 1000);
    await onTrial(trial, (place) => (console.log(place.netns), new Promise(() => {})));`;
  const netmon = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [netns] = await once(netmon.stdout.setEncoding("utf8"), "data");
  assert.ok(existsSync(String(netns).trim()));
  netmon.kill("SIGKILL");
  await until("its namespace is gone", () => !existsSync(String(netns).trim()));
});

test("an address that comes to another MAC is reached at once when it is announced", async () => {
  using old = await container(macs.first);
  using young = await container(macs.second);
  for (const { place } of [old, young]) await setLinkUp(place, "lan0", signal);
  await addAddress(old.place, "lan0", `${lan.at(50)}/24`, { signal });
  assert.equal(await neighbour.ping(lan.at(50)), true);
  await removeAddress(old.place, "lan0", `${lan.at(50)}/24`, signal);
  await addAddress(young.place, "lan0", `${lan.at(50)}/24`, { signal });
  assert.equal(neighbour.macOf(lan.at(50)), macs.first);
  assert.equal(await neighbour.ping(lan.at(50)), false);
  await announce({ place: young.place, device: "lan0", address: `${lan.at(50)}/24`, signal });
  assert.equal(neighbour.macOf(lan.at(50)), macs.second);
  assert.equal(await neighbour.ping(lan.at(50)), true);
});

test("a MAC that another station uses is found, by whatever it is known", async () => {
  const find = (mac: string, parent = "eth0") => findMac({ parent, mac, clock, signal });
  assert.equal(await find(macs.second), undefined);
  const eth0 = await linkIn({}, "eth0");
  assert.equal(await find(eth0?.mac ?? ""), "the interface eth0 of this node");
  assert.match((await find(neighbour.mac)) ?? "", /^another station, which has the IPv6 address/);

  // Once they have talked IPv4, by that.
  await addAddress({}, "eth0", `${lan.at(2)}/24`, { signal });
  assert.equal(await neighbour.ping(lan.at(2)), true);
  assert.equal(await find(neighbour.mac), `the station with the address ${lan.at(20)}`);

  using box = await container(macs.first);
  await setLinkUp(box.place, "lan0", signal);
  assert.equal(await find(macs.first), "another link upon eth0 on this node");
});

test("a bridge that is a parent knows behind which port a MAC is", async () => {
  const sh = (line: string) => run({}, "ip", line.split(" "), { signal });
  using machine = ownNetwork();
  await sh("link add br0 type bridge mcast_snooping 0");
  await sh(`link add port0 type veth peer name eth0 netns ${machine.name}`);
  machine.ip("link set eth0 up");
  await sh("link set port0 up master br0");
  await sh("link set br0 up");
  const mac = machine.exec("cat", "/sys/class/net/eth0/address").trim();
  await until("it is learned", async () => {
    machine.exec("busybox", "arping", "-U", "-c", "1", "-I", "eth0", "10.9.9.9");
    return (
      (await findMac({ parent: "br0", mac, clock, signal })) === "a station behind the port port0 of br0"
    );
  });
  await sh("link delete br0");
});

test("an IPv6 address is made of the MAC and the router's advertisement, or there is none", async () => {
  await lan.startDhcp({ range: [lan.at(100), lan.at(110)] });
  using box = await container(macs.first);
  const { place } = box;
  // As a kernel whose administrator wants no addresses made of MACs.
  const mode = "echo 3 >/proc/sys/net/ipv6/conf/lan0/addr_gen_mode";
  await run(place, "sh", ["-c", mode], { signal });
  await setIpv6(place, "lan0", "slaac", signal);
  await setLinkUp(place, "lan0", signal);
  const address = await until("an address of the router's subnet", async () =>
    (await linkIn(place))?.addresses.find((one) => !one.isLinkLocal && !one.isTentative),
  );
  assert.equal(address.address, "fd77::5f:10ff:fe00:1/64");
  const { routes } = await observe(place, signal);
  assert.ok(routes.some(({ destination, protocol }) => destination === "::/0" && protocol === "ra"));

  await setIpv6(place, "lan0", "none", signal);
  assert.deepEqual((await linkIn(place))?.addresses, []);
  await assert.rejects(addAddress(place, "lan0", "fd77::50/64", { signal }), { kind: "conflict" });

  await setIpv6(place, "lan0", "static", signal);
  neighbour.network.ip("address add fd77::50/64 dev eth0 nodad");
  await addAddress(place, "lan0", "fd77::50/64", { signal });
  await until("the duplicate is known", async () =>
    (await linkIn(place))?.addresses.some((one) => one.address === "fd77::50/64" && one.isDuplicate),
  );
  await assert.rejects(setIpv6(place, "lan9", "none", signal), { kind: "not_found" });
});
