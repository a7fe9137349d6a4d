/** What the kernel does to netmon, and what of it a watcher is told. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";
import { until } from "../journeys/until.ts";
import { follow, machine } from "./machine.ts";

const run = promisify(execFile);
const buf = new URL("../../node_modules/.bin/buf", import.meta.url).pathname;
/** So long that nothing settles while a test looks. */
const never = { ORCHESTRATOR_NETMON_SETTLE_MS: "10000" };

test("an interface is told whole: link, addresses, subnets, gateways and routes", async () => {
  await using on = await machine();
  on.network.ip(
    "link set eth0 address 02:00:00:00:00:01 mtu 1400",
    "address add 192.0.2.10/24 dev eth0",
    "address add 2001:db8::10/64 dev eth0 nodad",
    "address flush dev eth0 scope link",
    "route add default via 192.0.2.1 metric 100",
    "route add 10.0.0.0/8 via 192.0.2.2 metric 50",
    "route add 172.16.0.0/12 via 192.0.2.3 table 77",
    "route add unreachable 192.168.0.0/16",
    "-6 route add default via 2001:db8::1 metric 10",
  );
  const picture = await until("all of it", async () => {
    const { picture } = await on.client.getNetwork({});
    const { gateways, mtu, operstate } = picture?.interfaces[0] ?? {};
    return gateways?.length === 2 && mtu === 1400 && operstate === "up" && picture;
  });
  const [{ index, addresses, subnets, routes, ...eth0 } = assert.fail("no interface")] = picture.interfaces;
  assert.deepEqual(eth0, {
    ...{ $typeName: "edge.v1.NetworkInterface", name: "eth0", mac: "02:00:00:00:00:01", kind: "veth" },
    ...{ mtu: 1400, operstate: "up", carrier: true, speedMbps: 10_000 },
    gateways: ["192.0.2.1", "2001:db8::1"],
  });
  assert.ok(index > 1);
  assert.deepEqual(addresses.slice(0, 2), ["192.0.2.10/24", "2001:db8::10/64"]);
  assert.deepEqual(subnets.slice(0, 2), ["192.0.2.0/24", "2001:db8::/64"]);
  const told = routes.map(({ destination, gateway, metric }) => `${destination} ${gateway} ${metric}`);
  for (const route of [
    "192.0.2.0/24  0",
    "10.0.0.0/8 192.0.2.2 50",
    "0.0.0.0/0 192.0.2.1 100",
    "2001:db8::/64  256",
    "::/0 2001:db8::1 10",
  ])
    assert.ok(told.includes(route), `${route} in ${told.join(", ")}`);
  assert.ok(!/172\.16|192\.168/.test(told.join()), "routes of policies, and those that lead nowhere");
});

test("a loss of the carrier is told at once, everything else when it has settled, a change that went back never", async () => {
  await using on = await machine({ ORCHESTRATOR_NETMON_SETTLE_MS: "5000" });
  await using watch = follow(on.client);
  await watch.when("the cable", () => watch.named("eth0")?.carrier);
  const before = watch.pictures.length;
  // A cable that is pulled and pushed until it holds, and an address that does not stay.
  on.network.ip("address add 198.51.100.1/24 dev eth0", "address del 198.51.100.1/24 dev eth0");
  for (let flap = 0; flap < 3; flap++) {
    on.lan.ip("link set port0 down");
    await until("no carrier", () => on.network.exec("cat", "/sys/class/net/eth0/carrier").trim() === "0");
    await watch.when("the loss", () => watch.named("eth0")?.carrier === false);
    on.lan.ip("link set port0 up");
    await until("a carrier", () => on.network.exec("cat", "/sys/class/net/eth0/carrier").trim() === "1");
  }
  await watch.when("the carrier is back", () => watch.named("eth0")?.carrier);
  const told = watch.pictures.slice(before).map(({ interfaces }) => interfaces[0]?.carrier);
  assert.deepEqual(told, [false, true], "three flaps are one loss and one return");
  assert.ok(
    !JSON.stringify(watch.pictures.map((one) => one.interfaces[0]?.addresses)).includes("198.51.100.1"),
  );
});

test("a loss is told although other changes are kept back, also when an interface goes or is another one", async () => {
  await using on = await machine(never);
  await using watch = follow(on.client);
  await watch.when("a first picture", () => watch.pictures.length > 0);
  const index = watch.named("eth0")?.index;
  on.network.ip("address add 192.0.2.10/24 dev eth0");
  on.network.ip("link del eth0");
  await watch.when("it is gone", () => watch.named("eth0") === undefined);
  assert.deepEqual(watch.changed.at(-1), ["eth0"]);
  on.network.ip(`link add eth0 index 900 type veth peer name port0 netns ${on.lan.name}`);
  on.network.ip(`link add eth1 type veth peer name port1 netns ${on.lan.name}`);
  // What came is kept back; that nothing is told of it is seen by what is told next.
  await until("netmon has looked", async () => {
    on.network.ip("link set eth1 mtu 1400");
    return (await on.client.getNetwork({})).picture?.generation === watch.pictures.at(-1)?.generation;
  });
  assert.ok(index !== undefined && index !== 900);
  assert.equal(watch.named("eth0"), undefined);
});

test("a storm that the kernel cannot hand over is recovered from by looking again", async () => {
  await using on = await machine({ ORCHESTRATOR_NETMON_SETTLE_MS: "0" });
  await using watch = follow(on.client);
  await watch.when("the cable", () => watch.named("eth0")?.carrier);
  // While netmon stands still, its notices fill the pipe, then the socket's buffer, and then the kernel drops them.
  on.netmon.signal("SIGSTOP");
  const mtus = Array.from({ length: 15_000 }, (_, i) => `link set eth0 mtu ${1000 + (i % 400)}`);
  on.flood([...mtus, "link set eth0 mtu 1234", "address add 192.0.2.10/24 dev eth0"]);
  on.netmon.signal("SIGCONT");
  await watch.when("what is now", () => {
    const eth0 = watch.named("eth0");
    return eth0?.mtu === 1234 && eth0.addresses.includes("192.0.2.10/24");
  });
  await until("it says so", () => on.netmon.output().includes("notices of the kernel were lost"));
  // It hears what comes after it.
  on.network.ip("link set eth0 mtu 1500");
  await watch.when("the next change", () => watch.named("eth0")?.mtu === 1500);
  // A storm that it hears costs a look now and then, and watchers a picture now and then.
  const before = watch.pictures.length;
  on.flood([...mtus, "link set eth0 mtu 1300"]);
  await watch.when("the end of the storm", () => watch.named("eth0")?.mtu === 1300);
  assert.ok(watch.pictures.length - before < mtus.length / 20, `${watch.pictures.length - before} pictures`);
});

test("netmon watches without any capability", async () => {
  // Still this user, and no other: the checkout and the test's folders may be closed to everybody else.
  await using on = await machine({}, ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]);
  const listening = () => on.pids("netmon start|monitor link");
  const pids = await until("it listens", () => listening().length === 2 && listening());
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    assert.deepEqual(status.match(/^Cap(Prm|Eff|Bnd):.*$/gm), [
      "CapPrm:\t0000000000000000",
      "CapEff:\t0000000000000000",
      "CapBnd:\t0000000000000000",
    ]);
  }
  await using watch = follow(on.client);
  on.network.ip("address add 192.0.2.10/24 dev eth0", "route add default via 192.0.2.1");
  await watch.when("a gateway", () => watch.named("eth0")?.gateways.includes("192.0.2.1"));
});

test("buf curl lists netmon's services and watches the picture while links change", async () => {
  await using on = await machine();
  const where = ["--protocol", "grpc", "--http2-prior-knowledge", "--unix-socket", on.socket];
  const { stdout } = await run(buf, ["curl", ...where, "--list-services", "http://localhost"]);
  assert.match(stdout, /^edge\.v1\.NetMon$/m);
  assert.match(stdout, /^grpc\.health\.v1\.Health$/m);
  const watch = spawn(buf, ["curl", ...where, "http://localhost/edge.v1.NetMon/WatchNetwork"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  using _ = { [Symbol.dispose]: () => void watch.kill() };
  let text = "";
  createInterface({ input: watch.stdout }).on("line", (line) => {
    text += line;
  });
  await until("the picture", () => text.includes('"picture"') && text.includes('"eth0"'));
  on.network.ip("address add 192.0.2.10/24 dev eth0", "route add default via 192.0.2.1");
  await until("a difference", () => text.includes('"difference"') && text.includes('"192.0.2.1"'));
  on.network.ip(`link add usb0 type veth peer name port1 netns ${on.lan.name}`);
  await until("an interface more", () => text.includes('"usb0"'));
});
