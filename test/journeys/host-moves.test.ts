/** The host moves to other networks, and its runtimes stay reachable, each with the address that is right for it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AddressMode, VnicChangeKind, VnicPhase } from "../../gen/edge/v1/vnics_pb.ts";
import { type Cable, type Host, type Lan, openLan } from "../fixtures/lan.ts";
import { openPlant, type Plant } from "./plant.ts";
import { until } from "./until.ts";

const { UP, NO_PARENT, NO_CARRIER } = VnicPhase;
const parent = "eth0";
const dhcp = { name: "lan0", parent, addressMode: AddressMode.DHCP };
const follow = { name: "lan0", parent, addressMode: AddressMode.FOLLOW, host: 50 };
/** A plant's fixed address, on a subnet that is never the host's. */
const fixed = { name: "lan0", parent, addressMode: AddressMode.STATIC, address: "192.168.7.9/24" };

describe("a host that moves", () => {
  const opened = new AsyncDisposableStack();
  const lans: Lan[] = [];
  const others: Host[] = [];
  let plant: Plant;
  let cable: Cable;

  before(async () => {
    for (const subnet of ["10.77.0.0/24", "10.88.0.0/24", "10.99.0.0/24"]) {
      const lan = opened.use(await openLan({ subnet }));
      await lan.startDhcp({ range: [lan.at(100), lan.at(150)] });
      others.push(lan.host({ address: lan.at(20) }));
      lan.network.ip("address add 192.168.7.1/24 dev switch");
      lans.push(lan);
    }
    plant = opened.use(await openPlant());
    cable = plant.nic("eth0", lanOf(0), { host: 2 });
    await plant.create("dhcp", [dhcp]);
    await plant.create("follow", [follow]);
    await plant.create("fixed", [fixed]);
  });
  after(() => opened.disposeAsync());

  const lanOf = (at: number): Lan => lans[at] ?? assert.fail();
  const otherOf = (at: number): Host => others[at] ?? assert.fail();
  const starts = () => Promise.all(["dhcp", "follow", "fixed"].map((name) => plant.startedAt(name)));

  /** All three are reached from a LAN, with the addresses that they should have there. */
  const reachedFrom = async (at: number) => {
    const [lan, other] = [lanOf(at), otherOf(at)];
    const following = await plant.vnicIs("follow", UP, `${lan.at(50)}/24`);
    assert.equal(following.gateway, lan.router);
    const leased = await until("a lease of this LAN", async () => {
      const vnic = await plant.vnic("dhcp");
      const address = vnic.addresses[0]?.split("/")[0] ?? "";
      return vnic.phase === UP && lan.leases().some((one) => one.address === address) && { ...vnic, address };
    });
    for (const [address, mac] of [
      [lan.at(50), following.mac],
      [leased.address, leased.mac],
    ] as const) {
      await until(`${address} answers`, () => other.ping(address));
      assert.equal(await other.arping(address), mac);
    }
    const one = await plant.vnicIs("fixed", UP, fixed.address);
    await until("192.168.7.9 answers", () =>
      lan.network.exec("busybox", "ping", "-c1", "-W2", "192.168.7.9").includes(" 0% packet loss"),
    );
    assert.match(lan.network.exec("ip", "neighbour", "show", "to", "192.168.7.9"), new RegExp(one.mac));
  };

  test("to three subnets and back, without a restart of any runtime", async () => {
    const started = await starts();
    await reachedFrom(0);
    for (const [from, to] of [
      [0, 1],
      [1, 2],
      [2, 0],
    ] as const) {
      const fixedLink = await plant.linkOf("fixed");
      cable.moveTo(lanOf(to));
      plant.readdress("eth0", lanOf(to), 2);
      await reachedFrom(to);
      assert.equal(await plant.linkOf("fixed"), fixedLink, "the fixed one is left alone");
      const { address } = { address: `${lanOf(from).at(50)}/24` };
      assert.ok(
        !(await plant.inside("follow", "ip", "address")).includes(address),
        "the old address is gone",
      );
    }
    assert.deepEqual(await starts(), started);
    const told = await plant.cli("runtime", "net", "follow", "--local");
    assert.match(told.stdout, /10\.77\.0\.50\/24/);
  });

  test("a second move during the first is not lost", async () => {
    cable.moveTo(lanOf(1));
    plant.readdress("eth0", lanOf(1), 2);
    await sleep(150); // Settled, and being worked at.
    cable.moveTo(lanOf(2));
    plant.readdress("eth0", lanOf(2), 2);
    await reachedFrom(2);
    cable.moveTo(lanOf(0));
    plant.readdress("eth0", lanOf(0), 2);
    await reachedFrom(0);
  });

  test("only the gateway changes: who follows has the new one, and keeps its address", async () => {
    const before = await plant.linkOf("follow");
    plant.ip(`route replace default via ${lanOf(0).at(254)} dev eth0`);
    await until("the new gateway", async () => (await plant.vnic("follow")).gateway === lanOf(0).at(254));
    assert.match(await plant.inside("follow", "ip", "route"), /default via 10\.77\.0\.254 dev lan0/);
    assert.equal(await plant.linkOf("follow"), before);
    plant.ip(`route replace default via ${lanOf(0).router} dev eth0`);
    await until("the old gateway", async () => (await plant.vnic("follow")).gateway === lanOf(0).router);
  });

  test("the carrier is away for ten seconds and comes back", async () => {
    const links = await Promise.all(["dhcp", "follow", "fixed"].map((name) => plant.linkOf(name)));
    cable.unplug();
    await plant.vnicIs("dhcp", NO_CARRIER);
    await sleep(10_000);
    assert.equal((await plant.vnic("fixed")).phase, NO_CARRIER);
    cable.plug();
    await reachedFrom(0);
    assert.deepEqual(await Promise.all(["dhcp", "follow", "fixed"].map((name) => plant.linkOf(name))), links);
  });

  test("the parent goes and comes back under another index", async () => {
    const started = await starts();
    cable.remove();
    const told = await plant.vnicIs("follow", NO_PARENT);
    assert.match(told.reason, /eth0/);
    await plant.vnicIs("dhcp", NO_PARENT);
    cable = plant.nic("eth0", lanOf(0), { host: 2 });
    await reachedFrom(0);
    assert.deepEqual(await starts(), started);
  });

  test("what happened is told in order, with reasons", async () => {
    const events: { kind: VnicChangeKind; reason: string }[] = [];
    const stop = new AbortController();
    for await (const told of plant.netmonClient.watchAttachments(
      { afterSequence: 0n },
      { signal: stop.signal },
    )) {
      for (const { change, reason } of told.events) {
        if (change?.runtime === "follow") events.push({ kind: change.kind, reason });
      }
      if (told.events.at(-1)?.sequence === told.lastSequence || told.events.length === 0) break;
    }
    const kinds = events.map(({ kind }) => kind);
    const { READDRESSED, PARENT_LOST, PARENT_BACK } = VnicChangeKind;
    assert.ok(kinds.includes(READDRESSED) && kinds.includes(PARENT_LOST), JSON.stringify(kinds));
    assert.ok(kinds.lastIndexOf(PARENT_LOST) < kinds.lastIndexOf(PARENT_BACK), JSON.stringify(kinds));
    assert.ok(events.every(({ reason }) => reason !== ""));
  });
});

test("twenty runtimes on one parent move at once", async () => {
  await using first = await openLan({ subnet: "10.77.0.0/24" });
  await using second = await openLan({ subnet: "10.88.0.0/24" });
  for (const lan of [first, second]) await lan.startDhcp({ range: [lan.at(100), lan.at(200)] });
  await using plant = await openPlant();
  const cable = plant.nic("eth0", first, { host: 2 });
  const names = Array.from({ length: 20 }, (_, at) => `plc-${at}`);
  await Promise.all(names.map((name) => plant.create(name, [dhcp])));
  const started = await Promise.all(names.map((name) => plant.startedAt(name)));
  const other = second.host({ address: second.at(20) });
  cable.moveTo(second);
  plant.readdress("eth0", second, 2);
  const addresses = await Promise.all(
    names.map((name) =>
      until(`${name} has a lease of the second LAN`, async () => {
        const { addresses, phase } = await plant.vnic(name);
        return phase === UP && addresses.find((one) => one.startsWith("10.88.0."))?.split("/")[0];
      }),
    ),
  );
  assert.equal(new Set(addresses).size, names.length);
  for (const address of addresses) await until(`${address} answers`, () => other.ping(address));
  assert.deepEqual(await Promise.all(names.map((name) => plant.startedAt(name))), started);
});
