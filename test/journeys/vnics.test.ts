/** Runtimes as devices of their own on a LAN: addresses, MACs, routes, names, and what must not happen twice. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AddressMode, Ipv6Mode, VnicPhase } from "../../gen/edge/v1/vnics_pb.ts";
import { type Host, type Lan, openLan } from "../fixtures/lan.ts";
import { openPlant, type Plant } from "./plant.ts";
import { until } from "./until.ts";

const { UP, NO_CARRIER, NO_PARENT } = VnicPhase;
const dhcp = { name: "lan0", parent: "eth0", addressMode: AddressMode.DHCP };
const fixed = (address: string, gateway = "") => ({
  ...{ name: "lan0", parent: "eth0", addressMode: AddressMode.STATIC },
  ...{ address, gateway },
});

describe("runtimes on a LAN", () => {
  const opened = new AsyncDisposableStack();
  let lan: Lan;
  let plant: Plant;
  let other: Host;

  before(async () => {
    lan = opened.use(await openLan({ subnet6: "fd77::/64" }));
    await lan.startDhcp({ range: [lan.at(100), lan.at(150)], dnsServers: [lan.router] });
    plant = opened.use(await openPlant());
    plant.nic("eth0", lan, { host: 2 });
    other = lan.host({ address: lan.at(20) });
  });
  after(() => opened.disposeAsync());

  const reachable = async (address: string, mac: string) => {
    await until(`${address} answers`, () => other.ping(address));
    assert.equal(await other.arping(address), mac);
  };
  const gone = (name: string) => plant.runtimes.deleteRuntime({ name });

  test("with a lease of its own MAC and name; a restart keeps both, a delete gives it back", async () => {
    await plant.create("plc", [dhcp]);
    const made = await plant.vnicIs("plc", UP);
    const address = made.addresses[0]?.split("/")[0] ?? "";
    await reachable(address, made.mac);
    const held = () => lan.leases().find((one) => one.address === address);
    assert.deepEqual([held()?.mac, held()?.hostName], [made.mac, "plc"]);
    assert.equal(held()?.clientId, `01:${made.mac}`);
    assert.equal(made.gateway, lan.router);
    assert.match(
      await plant.inside("plc", "ip", "route", "show", "default"),
      /^default via 10\.77\.0\.1 dev lan0\b[^\n]*\n$/,
    );

    await plant.runtimes.restartRuntime({ name: "plc" });
    const again = await plant.vnicIs("plc", UP);
    assert.deepEqual([again.mac, again.addresses], [made.mac, made.addresses]);
    assert.equal(other.macOf(address), made.mac, "the neighbour need not learn anything new");
    await reachable(address, made.mac);

    await gone("plc");
    await until("the lease was given back", () => held() === undefined);
  });

  test("with a fixed address; another machine's is refused, and its MAC named", async () => {
    await plant.create("fixed", [fixed(`${lan.at(30)}/24`, lan.router)]);
    const made = await plant.vnicIs("fixed", UP);
    await reachable(lan.at(30), made.mac);

    await assert.rejects(plant.create("thief", [fixed(`${lan.at(20)}/24`)]), (thrown: Error) => {
      assert.match(thrown.message, new RegExp(`${lan.at(20)}.*${other.mac}`));
      return true;
    });
    const left = await plant.engine.docker.listContainers({
      all: true,
      filters: { label: ["edge.runtime=thief"] },
    });
    assert.deepEqual(left, []);
    await gone("fixed");
  });

  test("a MAC address is used once on this node, and not at all when the LAN knows it", async () => {
    const mac = "02:77:00:00:00:33";
    const one = { ...fixed(`${lan.at(31)}/24`), mac };
    assert.equal((await plant.create("first", [one]))[0]?.mac, mac);
    await assert.rejects(plant.create("second", [{ ...fixed(`${lan.at(32)}/24`), mac }]), /first/);
    await gone("first");
    const known = { ...fixed(`${lan.at(33)}/24`), mac: other.mac };
    await assert.rejects(plant.create("third", [known]), new RegExp(other.mac));
  });

  test("an address that moves to another MAC is reached at once", async () => {
    const address = lan.at(40);
    const [old = assert.fail()] = await plant.create("old", [fixed(`${address}/24`)]);
    await reachable(address, old.mac);
    await gone("old");
    // The neighbour still believes the old one, and would for seconds.
    assert.equal(other.macOf(address), old.mac);
    await plant.create("new", [fixed(`${address}/24`)]);
    const made = await plant.vnicIs("new", UP);
    assert.notEqual(made.mac, old.mac);
    assert.equal(await other.ping(address), true, "the first ping is answered");
    assert.equal(other.macOf(address), made.mac);
    await gone("new");
  });

  test("with IPv6 that the router advertises, made of its MAC", async () => {
    const [made = assert.fail()] = await plant.create("six", [{ ...dhcp, ipv6Mode: Ipv6Mode.SLAAC }]);
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = made.mac
      .split(":")
      .map((one) => Number.parseInt(one, 16));
    const hex = (high: number, low: number) => ((high << 8) | low).toString(16);
    const address = `fd77::${hex(a ^ 2, b)}:${hex(c, 0xff)}:${hex(0xfe, d)}:${hex(e, f)}`;
    await until(`it has ${address}`, async () =>
      (await plant.vnic("six")).addresses.includes(`${address}/64`),
    );
    await until("it answers", () =>
      lan.network.exec("busybox", "ping", "-6", "-c1", "-W2", address).includes(" 0% packet loss"),
    );
    await gone("six");
  });

  test("created while its parent is away, it joins when that has come and has a carrier", async () => {
    const [made = assert.fail()] = await plant.create("early", [{ ...dhcp, parent: "eth9" }]);
    assert.equal(made.phase, NO_PARENT);
    assert.match(made.reason, /eth9/);
    const cable = plant.nic("eth9", lan);
    cable.unplug();
    await plant.vnicIs("early", NO_CARRIER);
    cable.plug();
    const up = await plant.vnicIs("early", UP);
    await reachable(up.addresses[0]?.split("/")[0] ?? "", up.mac);
    await gone("early");
    cable.remove();
  });

  test("eth1 is not eth10", async () => {
    await using elsewhere = await openLan({ subnet: "10.88.0.0/24" });
    const [ten, one] = [plant.nic("eth10", lan), plant.nic("eth1", elsewhere)];
    const [made = assert.fail()] = await plant.create("ten", [
      { ...fixed(`${lan.at(41)}/24`), parent: "eth10" },
    ]);
    const started = await plant.startedAt("ten");
    const index = await plant.linkOf("ten");
    one.remove();
    await plant.vnicIs("ten", UP);
    await reachable(lan.at(41), made.mac);
    assert.equal(await plant.linkOf("ten"), index);
    assert.equal(await plant.startedAt("ten"), started);
    await gone("ten");
    ten.remove();
  });

  test("two parents on one subnet, and one default route of the runtime", async () => {
    const cable = plant.nic("eth2", lan);
    const vnics = [
      { ...fixed(`${lan.at(50)}/24`, lan.router), metric: 200 },
      { ...fixed(`${lan.at(51)}/24`, lan.router), name: "lan1", parent: "eth2" },
    ];
    await plant.create("dual", vnics);
    const first = await plant.vnicIs("dual", UP);
    const second = await plant.vnicIs("dual", UP, undefined, "lan1");
    assert.deepEqual([first.hasDefaultRoute, second.hasDefaultRoute], [false, true]);
    await reachable(lan.at(51), second.mac);
    const routes = () => plant.inside("dual", "ip", "route", "show", "default");
    assert.match(await routes(), /^default via 10\.77\.0\.1 dev lan1\b[^\n]*\n$/);
    // Who owned it is gone: the next takes it over.
    cable.remove();
    await until("the other has it", async () => (await plant.vnic("dual")).hasDefaultRoute);
    assert.match(await routes(), /^default via 10\.77\.0\.1 dev lan0\b[^\n]*\n$/);
    await gone("dual");
  });

  test("the engine's own route to nowhere yields, and published ports go on", async () => {
    const ports = [{ nodePort: 18443, runtimePort: 8443 }];
    const env = [{ name: "DO", value: "echo hello | nc -l -p 8443; sleep 3600" }];
    await plant.create("ported", [fixed(`${lan.at(60)}/24`, lan.router)], {
      image: plant.script,
      env,
      ports,
    });
    await until("only the LAN's default route is left", async () =>
      /^default via 10\.77\.0\.1 dev lan0\b[^\n]*\n$/.test(
        await plant.inside("ported", "ip", "route", "show", "default"),
      ),
    );
    // Its program runs, which is not yet that it listens.
    await until("its program answers", () =>
      plant.exec("busybox", "nc", "127.0.0.1", "18443").includes("hello"),
    );
    await gone("ported");
  });
});
