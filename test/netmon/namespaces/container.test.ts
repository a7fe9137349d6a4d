import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { after, test } from "node:test";
import {
  createMacvlan,
  findOwners,
  Netns,
  observe,
  removeLink,
  setIpv6,
  setLinkUp,
  writeNameServers,
} from "../../../src/netmon/namespaces/index.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { idleImage } from "../../fixtures/images.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";
import { ownName } from "./own-network.ts"; // Whoever imports it runs within a namespace of its own.

const { signal } = new AbortController();
const engine = await sharedEngine();
after(() => engine[Symbol.asyncDispose]());

/** A container that is made, and gone when the test is. */
async function container({ networkMode = "none", isReadOnly = false } = {}) {
  const image = await idleImage(engine);
  const made = await engine.docker.createContainer({
    ...{
      Image: image,
      name: `namespaces-${randomUUID()}`,
      HostConfig: { NetworkMode: networkMode, ReadonlyRootfs: isReadOnly },
    },
  });
  const { id } = made;
  return {
    ...{ id, start: () => made.start(), kill: () => made.kill(), restart: () => made.restart() },
    pid: async () => (await made.inspect()).State.Pid,
    owner: () => findOwners(new Set([id])).get(id),
    [Symbol.asyncDispose]: () => made.remove({ force: true }),
  };
}

test("a container's namespace is opened from the first moment of its start, and stays open when it ends", async () => {
  await using box = await container({ networkMode: "bridge" });
  assert.equal(box.owner(), undefined);
  const starting = box.start();
  await using early = await until("a namespace of its own", () => {
    const owner = box.owner();
    return owner && Netns.open(owner);
  });
  await starting;
  const owner = box.owner();
  assert.ok(owner);
  assert.equal(owner.pid, await box.pid());
  await using netns = await Netns.open(owner);
  assert.equal(netns.isAlive, true);
  // It was the same one all along, where the engine has put its own link by now.
  assert.equal(statSync(early.path).ino, statSync(netns.path).ino);
  const names = async () => (await observe(early.place, signal)).links.map(({ name }) => name);
  assert.deepEqual(await names(), ["lo", "eth0"]);

  await box.kill();
  assert.equal(netns.isAlive, false);
  assert.equal(box.owner(), undefined);
  assert.ok((await names()).includes("lo"));
  await assert.rejects(Netns.open(owner), { kind: "not_found" });
});

test("a process that is another one by now, or in netmon's own namespace, is refused", async () => {
  await using box = await container({ isReadOnly: true });
  await box.start();
  const owner = box.owner();
  assert.ok(owner);
  assert.equal(await writeNameServers(owner, ["10.0.0.1"]), false, "its root is read-only");
  const recycled = { ...owner, startTicks: String(BigInt(owner.startTicks) - 1n) };
  await assert.rejects(Netns.open(recycled), { kind: "not_found" });
  await assert.rejects(writeNameServers(recycled, ["10.0.0.1"]), { kind: "not_found" });
  const startTicks = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ")[19] ?? "";
  const own = { containerId: box.id, pid: process.pid, startTicks };
  await assert.rejects(Netns.open(own), { kind: "conflict" });
});

test("a running container gets a link, IPv6 although the engine turned it off, and name servers", async () => {
  await using box = await container();
  using far = ownNetwork();
  await box.start();
  const owner = box.owner();
  assert.ok(owner);
  await using netns = await Netns.open(owner);
  const { place } = netns;
  far.ip(`link add port0 type veth peer name eth0 netns ${ownName}`, "link set port0 up");
  await setLinkUp({}, "eth0", signal);
  const mac = "02:5f:10:00:00:09";
  await createMacvlan({ place, parent: "eth0", name: "lan0", mac, mode: "bridge", signal });
  await setIpv6(place, "lan0", "slaac", signal);
  await setLinkUp(place, "lan0", signal);
  await until("an address made of the MAC", async () => {
    const lan0 = (await observe(place, signal)).links.find(({ name }) => name === "lan0");
    return lan0?.addresses.some(({ address }) => address === "fe80::5f:10ff:fe00:9/64");
  });

  const seen = () => readFileSync(`/proc/${owner.pid}/root/etc/resolv.conf`, "utf8");
  const before = seen();
  assert.equal(await writeNameServers(owner, ["10.77.0.1", "10.77.0.2"], "plant.example"), true);
  assert.notEqual(before, seen());
  assert.equal(seen(), "search plant.example\nnameserver 10.77.0.1\nnameserver 10.77.0.2\n");
  assert.equal(await writeNameServers(owner, ["10.77.0.3"]), true);
  assert.equal(seen(), "nameserver 10.77.0.3\n");

  // The kernel takes the link away with the container, and then its MAC is free.
  await box.kill();
  await netns[Symbol.asyncDispose]();
  await createMacvlan({ place: {}, parent: "eth0", name: "next0", mac, mode: "bridge", signal });
  await until("its MAC is free", () => setLinkUp({}, "next0", signal).then(() => true));
  await removeLink({}, "next0", signal);
});
