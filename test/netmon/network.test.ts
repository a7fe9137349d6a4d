import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { failure } from "../../src/base/failure.ts";
import { openLog } from "../../src/base/log.ts";
import { parseNameServers, readNameServers } from "../../src/netmon/dns.ts";
import type { IpRoute } from "../../src/netmon/ip.ts";
import { gatewaysOf } from "../../src/netmon/look.ts";
import { Network } from "../../src/netmon/network.ts";
import { watchNetwork } from "../../src/netmon/server.ts";
import { changedInterfaces, type Interface, nextPicture, type Seen } from "../../src/netmon/state.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { until } from "../journeys/until.ts";

function seen(...of: (Pick<Interface, "name"> & Partial<Interface>)[]): Seen {
  const usual = {
    index: 1,
    mac: "",
    kind: "physical",
    mtu: 1500,
    operstate: "up",
    carrier: true,
    speedMbps: 0,
  } as const;
  return { interfaces: of.map((one) => ({ ...usual, addresses: [], gateways: [], ...one })), dnsServers: [] };
}

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

test("what changed are the interfaces that differ, came or went; at first all of them", () => {
  const before = nextPicture(undefined, seen({ name: "eth0" }, { name: "eth1" }, { name: "usb0" }), 0);
  assert.deepEqual(changedInterfaces(undefined, before), ["eth0", "eth1", "usb0"]);
  const now = seen({ name: "eth0" }, { name: "eth1", addresses: ["192.0.2.7/24"] }, { name: "wlan0" });
  assert.deepEqual(changedInterfaces(before, nextPicture(before, now, 0)), ["eth1", "usb0", "wlan0"]);
});

test("a slow watcher gets the newest picture and what changed since the one that it had", async () => {
  await using on = await networkOf(seen({ name: "eth0" }, { name: "eth1" }));
  const { network } = on;
  const stop = new AbortController();
  const watch = watchNetwork(network, stop.signal);
  const next = async () => (await watch.next()).value ?? undefined;
  const first = await next();
  assert.deepEqual([first?.picture?.generation, first?.changed], [1n, ["eth0", "eth1"]]);
  for (let mtu = 1; mtu <= 10; mtu++) {
    const name = mtu % 2 ? "eth0" : "eth1";
    await on.see(
      () => seen({ name: "eth0" }, { name: "eth1" }, { name: `new${mtu}`, mtu }, { name, mtu }),
      () => network.picture.generation === mtu + 1,
    );
  }
  const second = await next();
  assert.equal(second?.picture?.generation, 11n, "9 pictures were never sent");
  assert.deepEqual(second?.changed, ["eth1", "new10"]);
  const third = watch.next();
  stop.abort();
  assert.equal((await third).done, true);
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

test("gateways are those of the machine's own default routes, best first, IPv4 before IPv6", () => {
  const route = (of: Partial<IpRoute>): IpRoute => ({ table: "main", metric: 0, nexthops: [], ...of });
  const routes = [
    route({ dev: "eth0", gateway: "2001:db8::1", metric: 10 }),
    route({ dev: "eth0", gateway: "192.0.2.2", metric: 300 }),
    route({ dev: "eth0", gateway: "192.0.2.1", metric: 100 }),
    route({ dev: "eth0", gateway: "192.0.2.1", metric: 400 }),
    route({
      metric: 500,
      nexthops: [
        { dev: "eth1", gateway: "198.51.100.1" },
        { dev: "eth2", via: { host: "fe80::1" } },
      ],
    }),
    route({ dev: "wwan0", metric: 700 }),
    route({ metric: 4294967295 }), // Unreachable: through no interface.
    route({ dev: "vpn0", gateway: "203.0.113.1", table: "51820" }),
  ];
  assert.deepEqual(
    gatewaysOf(routes),
    new Map([
      ["eth0", ["192.0.2.1", "192.0.2.2", "2001:db8::1"]],
      ["eth1", ["198.51.100.1"]],
      ["eth2", ["fe80::1"]],
      ["wwan0", []],
    ]),
  );
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
