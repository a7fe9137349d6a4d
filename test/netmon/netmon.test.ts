import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { NetworkPicture } from "../../gen/edge/v1/netmon_pb.ts";
import { HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { pictureAfter } from "../../src/wire/network-picture.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { runOnce } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";
import { follow, machine } from "./machine.ts";

/** Everything is told at once. */
const hasty = { ORCHESTRATOR_NETMON_SETTLE_MS: "0" };

test("a watcher sees cables, addresses and routes come and go, and nothing of guests", async () => {
  await using on = await machine(hasty);
  const { network, lan } = on;
  await using watch = follow(on.client);
  const { pictures, changed, named, when } = watch;
  await when("a first picture", () => pictures.length > 0);
  assert.deepEqual(changed[0], ["eth0"]);

  await when("the cable", () => named("eth0")?.carrier && named("eth0")?.operstate === "up");
  network.ip("address add 192.0.2.10/24 dev eth0", "address add 2001:db8::10/64 dev eth0 nodad");
  await when("addresses", () => named("eth0")?.addresses.includes("2001:db8::10/64"));
  assert.equal(named("eth0")?.addresses[0], "192.0.2.10/24", "IPv4 first");
  network.ip("route add default via 192.0.2.1");
  await when("a gateway", () => named("eth0")?.gateways.join() === "192.0.2.1");
  network.ip("route replace default via 192.0.2.2");
  await when("another gateway", () => named("eth0")?.gateways.join() === "192.0.2.2");

  // Guests' things make notices, and are in no picture.
  network.ip(
    "link add docker0 type bridge",
    "address add 172.17.0.1/16 dev docker0",
    `link add veth1a2b master docker0 type veth peer name guest0 netns ${lan.name}`,
    "link add probe0 link eth0 type macvlan",
    "address del 192.0.2.10/24 dev eth0",
  );
  await when("an address less", () => named("eth0")?.addresses.includes("192.0.2.10/24") === false);
  const names = pictures.flatMap(({ interfaces }) => interfaces.map(({ name }) => name));
  assert.deepEqual([...new Set(names)], ["eth0"]);

  lan.ip("link set port0 down");
  await when("the cable is out", () => named("eth0")?.carrier === false);
  assert.deepEqual(
    named("eth0")?.gateways,
    [],
    "the kernel says nothing of IPv4 routes that a dead link takes along",
  );
  network.ip(`link add usb0 type veth peer name port1 netns ${lan.name}`);
  await when("an interface more", () => named("usb0") !== undefined);
  assert.ok(changed.some((names) => names.includes("usb0")));
  network.ip("link del eth0");
  await when("an interface less", () => named("eth0") === undefined);

  const generations = pictures.map(({ generation }) => generation);
  assert.deepEqual(
    generations,
    [...new Set(generations)].sort((a, b) => Number(a - b)),
    "each higher than the one before",
  );
  const { picture } = await on.client.getNetwork({});
  await when(
    "what a caller who does not watch gets",
    () => pictures.at(-1)?.generation === picture?.generation,
  );
  assert.deepEqual(picture, pictures.at(-1));
  assert.ok(picture?.takenAt && Math.abs(Number(picture.takenAt.seconds) - Date.now() / 1000) < 60);
});

test("a watcher that does not read gets what was on its way, and then the newest picture, not all", async () => {
  await using on = await machine(hasty);
  // Interfaces of many kilobytes, so that a few of them fill what is between netmon and its watcher.
  on.flood(Array.from({ length: 2000 }, (_, i) => `address add 10.${i >> 8}.${i & 255}.1/32 dev eth0`));
  const stop = new AbortController();
  const watch = on.client.watchNetwork({}, { signal: stop.signal })[Symbol.asyncIterator]();
  let picture: NetworkPicture | undefined;
  const next = async () => {
    const { value, done } = await watch.next();
    assert.ok(!done);
    picture = pictureAfter(picture, value);
    return picture;
  };
  const mtuNow = async () => (await on.another.getNetwork({})).picture?.interfaces[0]?.mtu;
  await next();
  const changes = 40;
  for (let mtu = 1000; mtu < 1000 + changes; mtu++) {
    on.network.ip(`link set eth0 mtu ${mtu}`);
    await until("the change is seen", async () => (await mtuNow()) === mtu);
  }
  let read = 0;
  for (let mtu = 0; mtu !== 999 + changes; read++) mtu = (await next())?.interfaces[0]?.mtu ?? 0;
  assert.ok(read < changes, `${read} pictures of ${changes} were sent to somebody who did not read`);
  stop.abort();
});

test("when the kernel's notices end, netmon listens again; when it is asked to end, nothing of it stays", async () => {
  await using on = await machine(hasty);
  const monitors = () => on.pids("ip .*monitor");
  const [first] = await until("it listens", () => monitors().length === 1 && monitors());
  process.kill(Number(first), "SIGKILL");
  await until("it listens again", () => monitors().length === 1 && monitors()[0] !== first);
  await until("it says so", () => on.netmon.output().includes("notices ended and are listened to again"));
  on.network.ip("address add 192.0.2.10/24 dev eth0");
  await until("the change is seen", async () => {
    const { picture } = await on.client.getNetwork({});
    return picture?.interfaces[0]?.addresses.includes("192.0.2.10/24");
  });
  await on.netmon.stop();
  assert.equal(execFileSync("ip", ["netns", "pids", on.network.name], { encoding: "utf8" }), "");
});

test("who listens to the kernel for netmon ends with it, also when it is killed", async () => {
  await using on = await machine(hasty);
  const monitors = () => on.pids("ip .*monitor");
  await until("it listens", () => monitors().length === 1);
  await on.netmon.kill9();
  await until("nobody listens", () => monitors().length === 0);
});

test("its socket is for its owner and group, tells its health, and is one netmon's", async () => {
  await using on = await machine();
  assert.equal(statSync(on.socket).mode & 0o777, 0o660);
  assert.equal((await on.health.check({ service: "edge.v1.NetMon" })).status, Status.SERVING);
  const second = await runOnce(["netmon", "start"], on);
  assert.equal(second.code, 5);
  assert.match(second.stderr, /netmon\.db is in use by another running program: stop that one/);
  // A socket that a killed one left behind is replaced.
  await on.netmon.kill9();
  on.netmon.start();
  await until("netmon answers", async () => (await on.client.getNetwork({})).picture);
});

test("a machine without ip(8), a bad setting and a folder that cannot be made are each told with the next step", async () => {
  using folder = tempFolder();
  const socket = join(folder.path, "netmon.sock");
  const run = (env: Record<string, string>) =>
    runOnce(["netmon", "start"], { env: { ORCHESTRATOR_NETMON_SOCKET: socket, ...env } });
  const without = await run({ PATH: folder.path });
  assert.deepEqual(
    [without.code, without.stderr],
    [7, "orchestrator netmon start: the program ip is not here: install iproute2\n"],
  );
  const bad = await run({ ORCHESTRATOR_NETMON_SETTLE_MS: "soon", ORCHESTRATOR_NETMON_SOCKETS: "x" });
  assert.equal(bad.code, 3);
  assert.match(bad.stderr, /netmon\.settle_ms: "soon" .* must be milliseconds from 0 to 10000/);
  assert.match(
    bad.stderr,
    /ORCHESTRATOR_NETMON_SOCKETS: is not a known setting.*did you mean ORCHESTRATOR_NETMON_SOCKET\?/,
  );
  writeFileSync(join(folder.path, "file"), "");
  const nowhere = await run({ ORCHESTRATOR_NETMON_SOCKET: join(folder.path, "file", "netmon.sock") });
  assert.equal(nowhere.code, 7);
  assert.match(nowhere.stderr, /cannot make the folder \S+\/file: /);
  const printed = await runOnce(["netmon", "start", "--print-config"], {
    env: { ORCHESTRATOR_NETMON_SOCKET: socket },
  });
  assert.match(printed.stdout, /netmon\.socket +\S+netmon\.sock +environment ORCHESTRATOR_NETMON_SOCKET/);
});
