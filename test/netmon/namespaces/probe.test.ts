import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import {
  addAddress,
  announce,
  findMac,
  observe,
  probeAddress,
  probeOnParent,
  removeAddress,
  run,
  setLinkDown,
  setLinkUp,
  setMac,
} from "../../../src/netmon/namespaces/index.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";
import { cable, container, lan, linkIn, macs, neighbour, signal } from "./plant.ts"; // Whoever imports it runs within a namespace of its own.

const clock = systemClock;

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
