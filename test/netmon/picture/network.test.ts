import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { parseNameServers, readNameServers } from "../../../src/netmon/picture/dns.ts";
import type { IpRoute } from "../../../src/netmon/picture/ip.ts";
import { Network } from "../../../src/netmon/picture/network.ts";
import { gatewaysOf, routesOf } from "../../../src/netmon/picture/routes.ts";
import { differenceOf, nextPicture, type Seen } from "../../../src/netmon/picture/state.ts";
import { watchNetwork } from "../../../src/netmon/server.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { seen } from "./seen.ts";

/** A network that is looked at whenever it is told to, and is what `see` says. */
async function networkOf(first: Seen, lookEveryMs = 60_000) {
  let look: () => Seen = () => first;
  const network = await Network.open(
    {
      look: async () => look(),
      ...{ clock: systemClock, log: openLog({ program: "test", level: "silent", format: "json" }) },
      ...{ settleMs: 0, lookEveryMs },
    },
    AbortSignal.timeout(60_000),
  );
  const stop = new AbortController();
  const running = network.run(stop.signal);
  return {
    network,
    change: (next: () => Seen) => {
      look = next;
    },
    async see(next: () => Seen, isSo: () => boolean) {
      look = next;
      network.notice();
      await until("a look", isSo);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

test("a picture stays the same when nothing is different, and is a new one when anything is", () => {
  const first = nextPicture(undefined, seen({ name: "eth0" }), 1000);
  assert.deepEqual([first.generation, first.takenAt], [1, 1000]);
  assert.equal(nextPicture(first, seen({ name: "eth0" }), 2000), first);
  const second = nextPicture(first, seen({ name: "eth0", carrier: false }), 0);
  assert.deepEqual([second.generation, second.takenAt], [2, 0], "the clock may have been set back");
  assert.equal(nextPicture(second, { ...second, dnsServers: ["192.0.2.53"] }, 3000).generation, 3);
});

test("different are the interfaces that came, went or changed, and name servers; at first everything", () => {
  const before = seen({ name: "eth0" }, { name: "eth1" }, { name: "usb0" });
  assert.deepEqual(differenceOf(undefined, before), { ...before, removed: [] });
  const [eth1, wlan0] = [{ name: "eth1", addresses: ["192.0.2.7/24"] }, { name: "wlan0" }];
  const now = seen({ name: "eth0" }, eth1, wlan0);
  const { interfaces } = seen(eth1, wlan0);
  assert.deepEqual(differenceOf(before, now), { interfaces, removed: ["usb0"] });
  const dnsServers = ["192.0.2.53"];
  assert.deepEqual(differenceOf(now, { ...now, dnsServers }), { interfaces: [], removed: [], dnsServers });
});

test("a watcher gets the picture, then differences; when it is slow, the newest picture and what changed", async () => {
  await using on = await networkOf(seen({ name: "eth0" }, { name: "eth1" }));
  const { network } = on;
  const stop = new AbortController();
  const watch = watchNetwork(network, { knownRunId: "", knownGeneration: 1n }, stop.signal);
  const next = async () => (await watch.next()).value ?? undefined;
  const first = await next();
  assert.deepEqual([first?.picture?.generation, first?.changed], [1n, ["eth0", "eth1"]]);
  assert.equal(first?.picture?.runId, network.runId);
  const change = (mtu: number, ...more: { name: string }[]) =>
    on.see(
      () => seen({ name: "eth0" }, { name: mtu % 2 ? "eth0" : "eth1", mtu }, ...more),
      () => network.picture.interfaces.some((one) => one.mtu === mtu),
    );
  await change(1);
  const { picture, difference, changed } = (await next()) ?? {};
  assert.deepEqual([picture, difference?.generation, changed], [undefined, 2n, ["eth0", "eth1"]]);
  assert.deepEqual(
    [difference?.interfaces.map(({ name, mtu }) => [name, mtu]), difference?.removed],
    [[["eth0", 1]], ["eth1"]],
  );
  for (let mtu = 2; mtu <= 9; mtu++) await change(mtu, { name: `new${mtu}` });
  const late = await next();
  assert.equal(late?.picture?.generation, 10n, "7 pictures were never sent");
  assert.deepEqual([late?.difference, late?.changed], [undefined, ["eth0", "new9"]]);
  const after = watch.next();
  stop.abort();
  assert.equal((await after).done, true);
});

test("a watcher that comes back is told whether it missed anything", async () => {
  await using on = await networkOf(seen({ name: "eth0" }));
  const { network } = on;
  const begin = async (knownRunId: string, knownGeneration: bigint) => {
    const watch = watchNetwork(network, { knownRunId, knownGeneration }, AbortSignal.timeout(60_000));
    const { value } = await watch.next();
    await watch.return();
    return value ?? undefined;
  };
  const same = await begin(network.runId, 1n);
  assert.deepEqual([same?.picture, same?.changed, same?.difference?.interfaces], [undefined, [], []]);
  assert.equal(same?.difference?.generation, 1n);
  for (const [run, generation] of [
    [network.runId, 0n],
    [network.runId, 7n],
    ["run-before", 1n],
  ] as const)
    assert.equal((await begin(run, generation))?.picture?.generation, 1n);
});

test("a network that cannot be seen keeps its picture, tells so once, and is seen again", async () => {
  await using on = await networkOf(seen({ name: "eth0" }));
  const { network } = on;
  let changes = 0;
  network.changes.listen(() => changes++);
  const blind = () => {
    throw failure("unavailable", "ip gave no answer");
  };
  await on.see(blind, () => !network.isSeen);
  let looks = 0;
  await on.see(
    () => {
      looks++;
      return blind();
    },
    () => looks > 0,
  );
  assert.deepEqual([network.picture.generation, changes], [1, 1]);
  await on.see(
    () => seen({ name: "eth0" }),
    () => network.isSeen,
  );
  assert.deepEqual([network.picture.generation, changes], [1, 2]);
});

test("a change that nobody noticed is seen when netmon looks anyway", async () => {
  await using on = await networkOf(seen({ name: "eth0" }), 5);
  on.change(() => seen({ name: "eth1" }));
  await until("the change", () => on.network.picture.interfaces[0]?.name === "eth1");
});

test("routes are told by interface, IPv4 first, best first; gateways are those of default routes", () => {
  const route = (dst: string, of: Partial<IpRoute>): IpRoute => ({
    ...{ dst, table: "main", metric: 0, nexthops: [] },
    ...of,
  });
  const hops = [
    { dev: "eth1", gateway: "198.51.100.1" },
    { dev: "eth2", via: { host: "fe80::1" } },
  ];
  const pref = "medium";
  const routes = routesOf([
    route("default", { dev: "wwan0", pref, metric: 1024 }),
    route("2001:db8:1::1", { dev: "eth0", pref }),
    route("default", { dev: "eth0", gateway: "192.0.2.2", metric: 300 }),
    route("default", { dev: "eth0", gateway: "2001:db8::1", pref, metric: 10 }),
    route("192.0.2.0/24", { dev: "eth0" }),
    route("default", { dev: "eth0", gateway: "192.0.2.1", metric: 100 }),
    route("default", { dev: "eth0", gateway: "192.0.2.1", metric: 400 }),
    route("10.9.8.7", { dev: "eth0", gateway: "192.0.2.3", metric: 50 }),
    route("default", { metric: 500, nexthops: hops }),
    route("default", { dev: "wwan0", metric: 700 }),
    route("default", {}), // Through no interface.
  ]);
  assert.deepEqual(
    routes.get("wwan0")?.map(({ destination }) => destination),
    ["0.0.0.0/0", "::/0"],
  );
  assert.deepEqual(
    routes.get("eth0")?.map(({ destination, gateway, metric }) => `${destination} ${gateway} ${metric}`),
    [
      "192.0.2.0/24  0",
      "10.9.8.7/32 192.0.2.3 50",
      "0.0.0.0/0 192.0.2.1 100",
      "0.0.0.0/0 192.0.2.2 300",
      "0.0.0.0/0 192.0.2.1 400",
      "2001:db8:1::1/128  0",
      "::/0 2001:db8::1 10",
    ],
  );
  const gateways = [...routes].map(([name, all]) => [name, ...gatewaysOf(all)]);
  assert.deepEqual(gateways, [
    ["eth0", "192.0.2.1", "192.0.2.2", "2001:db8::1"],
    ["eth1", "198.51.100.1"],
    ["eth2", "fe80::1"],
    ["wwan0"],
  ]);
});

test("name servers are read in order; those behind a stub of the machine itself are told in its place", () => {
  const text =
    "# made by x\nsearch lan\nnameserver 192.0.2.53\n nameserver 9.9.9.9\nnameserver fe80::1%eth0\nnameserver\n";
  assert.deepEqual(parseNameServers(text), ["192.0.2.53", "fe80::1%eth0"]);
  assert.deepEqual(parseNameServers("\u0000\u0001nameserver"), []);
  using folder = tempFolder();
  const roots = { etc: join(folder.path, "etc"), run: join(folder.path, "run") };
  assert.deepEqual(readNameServers(roots), [], "no such file");
  mkdirSync(roots.etc);
  mkdirSync(join(roots.run, "systemd/resolve"), { recursive: true });
  writeFileSync(join(roots.run, "systemd/resolve/resolv.conf"), "nameserver 192.0.2.1\n");
  writeFileSync(join(roots.etc, "resolv.conf"), "nameserver 192.0.2.53\n");
  assert.deepEqual(readNameServers(roots), ["192.0.2.53"]);
  writeFileSync(join(roots.etc, "resolv.conf"), "nameserver 127.0.0.53\noptions edns0\n");
  assert.deepEqual(readNameServers(roots), ["192.0.2.1"]);
});
