import assert from "node:assert/strict";
import { endianness } from "node:os";
import { test } from "node:test";
import type { NetworkInterface } from "../../../gen/edge/v1/node_pb.ts";
import { parseRoutes4, parseRoutes6 } from "../../../src/daemon/node/gateways.ts";
import { ownNetwork } from "../../fixtures/network.ts";

/** What the node says within a network, and whose traffic it counts. */
const program = `
  import { readInterfaces } from "./src/daemon/node/interfaces.ts";
  import { machineRoots, trafficInterfaces } from "./src/daemon/node/index.ts";
  const { interfaces } = readInterfaces(machineRoots);
  console.log(JSON.stringify({ interfaces, traffic: [...trafficInterfaces(machineRoots)] }));
`;

function look(network: ReturnType<typeof ownNetwork>) {
  const printed = network.exec(process.execPath, "--input-type=module", "--eval", program);
  const { interfaces, traffic } = JSON.parse(printed) as {
    interfaces: NetworkInterface[];
    traffic: string[];
  };
  const named = (name: string) => interfaces.find((one) => one.name === name);
  return { interfaces, traffic, named, kinds: interfaces.map(({ name, kind }) => [name, kind]) };
}

test("the machine's own interfaces are told with addresses and gateways; what was made for guests is not", () => {
  using lan = ownNetwork();
  using machine = ownNetwork();
  machine.ip(
    `link add eth0 index 101 type veth peer name port0 netns ${lan.name}`,
    `link add eth1 index 102 type veth peer name port1 netns ${lan.name}`,
    "link set lo up",
    "link set eth0 address 02:00:00:00:00:01 mtu 1400 up",
    "address add 192.0.2.10/24 dev eth0",
    "address add 192.0.2.11/24 dev eth0 label eth0:second",
    "address add 2001:db8::10/64 dev eth0 nodad",
  );
  lan.ip(
    "link set port0 up",
    "link add away0 link port1 type macvlan",
    `link set away0 netns ${machine.name}`,
  );
  machine.ip("route add default via 192.0.2.1 metric 100", "-6 route add default via 2001:db8::1");
  machine.ip("route add default via 192.0.2.2 metric 200");
  // Of guests: the engine's bridge with one cable to a container, a probe upon eth0.
  machine.ip(
    "link add docker0 type bridge",
    "link add veth1a2b type veth peer name guest",
    "link set guest master docker0",
  );
  machine.ip(
    "link set veth1a2b master docker0",
    "link add probe link eth0 type macvlan",
    "tuntap add vpn0 mode tun",
  );

  const { kinds, named, traffic } = look(machine);
  assert.deepEqual(kinds, [
    ["away0", "veth"], // What sysfs can tell of a macvlan whose parent is elsewhere.
    ["eth0", "veth"],
    ["eth1", "veth"],
    ["vpn0", "tun"],
  ]);
  const { addresses, subnets, ...eth0 } = named("eth0") ?? {};
  assert.deepEqual(eth0, {
    ...{ $typeName: "edge.v1.NetworkInterface", name: "eth0", index: 101, mac: "02:00:00:00:00:01" },
    ...{ kind: "veth", mtu: 1400, operstate: "up", carrier: true, speedMbps: 10_000 },
    gateways: ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
    routes: [],
  });
  assert.deepEqual(subnets, ["192.0.2.0/24", "2001:db8::/64", "fe80::/64"]);
  assert.deepEqual(
    addresses?.filter((one) => !one.startsWith("fe80:")),
    ["192.0.2.10/24", "192.0.2.11/24", "2001:db8::10/64"],
  );
  const { operstate, carrier, speedMbps, gateways } = named("eth1") ?? {};
  assert.deepEqual([operstate, carrier, speedMbps, gateways], ["down", false, 0, []]);
  assert.deepEqual(traffic, ["away0", "eth0", "eth1"], "a tunnel's bytes pass through another interface");
});

test("a bridge that carries the default route is the machine's own; a network without interfaces has none", () => {
  using machine = ownNetwork();
  assert.deepEqual(look(machine).interfaces, []);
  machine.ip("link add br0 type bridge", "link set br0 up", "address add 192.0.2.10/24 dev br0");
  assert.deepEqual(look(machine).kinds, []);
  machine.ip("route add default dev br0");
  assert.deepEqual(look(machine).kinds, [["br0", "bridge"]]);
  assert.deepEqual(look(machine).named("br0")?.gateways, [], "a route without a gateway");
});

test("routes are read from the kernel's files as they are written", () => {
  // Recorded: a machine with two gateways, one of them through a route that is rejected.
  const four = [
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
    "eth1\t00000000\t0202000A\t0003\t0\t0\t200\t00000000\t0\t0\t0",
    "eth0\t00000000\t0102000A\t0003\t0\t0\t100\t00000000\t0\t0\t0",
    "eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0",
    "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0",
    "",
  ].join("\n");
  assert.deepEqual(parseRoutes4(four, true), [
    { device: "eth0", metric: 100, gateway: "10.0.2.1" },
    { device: "eth1", metric: 200, gateway: "10.0.2.2" },
  ]);
  assert.equal(parseRoutes4(four.replace("0102000A", "0A000201"), false)[0]?.gateway, "10.0.2.1");
  const zero = "0".repeat(32);
  const six = [
    `${zero} 00 ${zero} 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003 eth0`,
    `${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200 lo`,
  ].join("\n");
  assert.deepEqual(parseRoutes6(six), [{ device: "eth0", metric: 1024, gateway: "2001:db8::1" }]);
  for (const text of ["", "\n\n", "Iface", "\u0000\u0001 garbage", `${zero} 00`]) {
    assert.deepEqual([parseRoutes4(text, endianness() === "LE"), parseRoutes6(text)], [[], []]);
  }
});
