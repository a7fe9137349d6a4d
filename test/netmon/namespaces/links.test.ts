import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addAddress,
  createIpvlan,
  createMacvlan,
  moveLink,
  observe,
  removeAddress,
  removeLink,
  removeRoute,
  replaceRoute,
  run,
  setIpv6,
  setLinkUp,
  setMac,
} from "../../../src/netmon/namespaces/index.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";
import { ownName } from "./own-network.ts";
import { container, lan, linkIn, macs, neighbour, signal } from "./plant.ts"; // Whoever imports it runs within a namespace of its own.

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
    const ask = ["arping", "-c", "2", "-w", "3", "-I", "eth0", address];
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
