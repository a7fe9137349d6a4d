import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { AddressMode, VnicPhase as Phase, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { openLan } from "../../fixtures/lan.ts";
import { ground, kindsOf, vnic } from "./ground.ts";

test("attached before its start, a container has its vNICs when it runs, and keeps them over everything", async () => {
  const own = readFileSync("/etc/resolv.conf", "utf8");
  await using on = await ground();
  await using lan = await openLan();
  await lan.startDhcp({ range: [lan.at(100), lan.at(150)] });
  const peer = lan.host({ address: "10.77.0.20" });
  await on.nic("eth1", lan, 2);
  const plc = await on.container("plc");
  const owner = "node/plc";
  const fixed = vnic(owner, {
    ...{
      addressMode: AddressMode.STATIC,
      address: "10.77.0.50/24",
      gateway: "10.77.0.1",
      dnsServers: ["10.77.0.1"],
    },
  });
  const leased = vnic(owner, { name: "lan1", metric: 200 });
  const waiting = await on.attach(owner, plc.id, fixed, leased);
  assert.deepEqual(
    waiting.map(({ phase }) => phase),
    [Phase.NO_RUNTIME, Phase.NO_RUNTIME],
  );

  const began = on.sequence();
  await plc.start();
  const first = await on.is(owner, Phase.UP, "10.77.0.50/24");
  assert.ok(first.hasDefaultRoute);
  const { lease } = await on.is(owner, Phase.UP, undefined, "lan1");
  assert.ok(lease);
  assert.equal(await peer.arping("10.77.0.50"), fixed.mac);
  assert.ok(await peer.ping(lease.address.split("/")[0] ?? ""));
  const routes = await plc.inside("ip", "route", "show", "default");
  assert.equal(routes.trim(), "default via 10.77.0.1 dev lan0 metric 100 onlink");
  await on.until("its name servers", async () => {
    return (await plc.file("/etc/resolv.conf")) === "nameserver 10.77.0.1\n";
  });
  assert.deepEqual(kindsOf(await on.eventsAfter(await began)).sort(), [
    "ATTACHED",
    "ATTACHED",
    "DEFAULT_ROUTE",
    "LEASE_BOUND",
  ]);

  // The container's end takes the links along; its next life has the same addresses by the same MACs.
  await plc.restart();
  await on.is(owner, Phase.UP, "10.77.0.50/24");
  await on.is(owner, Phase.UP, lease.address, "lan1");
  assert.equal(await peer.arping("10.77.0.50"), fixed.mac);

  // Netmon's end changes nothing, and what happens meanwhile is seen by the next one.
  const index = await plc.inside("ip", "-o", "link", "show", "lan0");
  await on.netmon.kill9();
  assert.ok(await peer.ping("10.77.0.50"));
  await on.startNetmon();
  await on.is(owner, Phase.UP, "10.77.0.50/24");
  assert.equal(await plc.inside("ip", "-o", "link", "show", "lan0"), index);
  await on.netmon.stop();
  await plc.restart();
  await on.startNetmon();
  await on.is(owner, Phase.UP, "10.77.0.50/24");
  await on.is(owner, Phase.UP, lease.address, "lan1");
  assert.ok(await peer.ping("10.77.0.50"));

  // A container has the machine's own files until its engine is done with its network.
  assert.equal(readFileSync("/etc/resolv.conf", "utf8"), own);

  await on.client.detach({ owner, requestId: "bye" });
  assert.equal(await on.statusOf(owner), undefined);
  await on.until("the server has the lease back", () => lan.leases().length === 0);
  assert.doesNotMatch(await plc.inside("ip", "-o", "link"), /lan0|lan1/);
});

test("what a parent does concerns its own vNICs only, and a second change during the first is not lost", async () => {
  await using on = await ground();
  await using lan = await openLan();
  await using other = await openLan({ subnet: "10.88.0.0/24" });
  // Leases so long that none is renewed meanwhile: of who stays nothing is to change.
  for (const one of [lan, other])
    await one.startDhcp({ range: [one.at(100), one.at(150)], leaseSeconds: 3_600 });
  const peer = lan.host({ address: "10.77.0.20" });
  const cable = await on.nic("eth1", lan, 2);
  await on.nic("eth10", lan, 3);
  const [moving, staying] = ["node/moving", "node/staying"] as const;
  const containers = await Promise.all(["moving", "staying"].map((name) => on.container(name)));
  for (const one of containers) await one.start();
  const [here, there] = containers.map(({ id }) => id);
  await on.attach(
    ...([moving, here ?? ""] as const),
    vnic(moving),
    vnic(moving, { name: "lan1", addressMode: AddressMode.FOLLOW, host: 60 }),
    vnic(moving, { name: "lan2", addressMode: AddressMode.STATIC, address: "192.168.5.5/24" }),
  );
  await on.attach(staying, there ?? "", vnic(staying, { parent: "eth10" }));
  await on.is(moving, Phase.UP, "10.77.0.60/24", "lan1");
  const lease = (await on.is(moving, Phase.UP)).addresses[0] ?? "";
  const stays = await on.is(staying, Phase.UP);

  const began = await on.sequence();
  cable.moveTo(other);
  on.ip("address del 10.77.0.2/24 dev eth1", "address add 10.88.0.2/24 dev eth1");
  const moved = await on.is(moving, Phase.UP, "10.88.0.60/24", "lan1");
  assert.deepEqual(moved.addresses, ["10.88.0.60/24"]);
  await on.until("another lease", async () =>
    (await on.statusOf(moving))?.addresses[0]?.startsWith("10.88.0."),
  );
  assert.equal((await on.statusOf(moving, "lan2"))?.addresses[0], "192.168.5.5/24");
  assert.deepEqual(await on.statusOf(staying), stays);
  assert.ok(!(await on.eventsAfter(began)).some((event) => event.owner === staying));

  // There and back, and back again while it is being followed.
  for (const [to, from, address] of [
    [lan, "10.88", "10.77"],
    [other, "10.77", "10.88"],
    [lan, "10.88", "10.77"],
  ] as const) {
    cable.moveTo(to);
    on.ip(`address del ${from}.0.2/24 dev eth1`, `address add ${address}.0.2/24 dev eth1`);
  }
  await on.is(moving, Phase.UP, "10.77.0.60/24", "lan1");
  await on.is(moving, Phase.UP, lease);
  assert.ok(await peer.ping("10.77.0.60"));

  cable.remove();
  const lost = await on.is(moving, Phase.NO_PARENT);
  assert.equal(lost.reason, "eth1 is not there");
  const again = await on.nic("eth1", lan, 2);
  await on.is(moving, Phase.UP, lease);
  await on.is(moving, Phase.UP, "10.77.0.60/24", "lan1");
  await on.is(moving, Phase.UP, "192.168.5.5/24", "lan2");
  again.unplug();
  const unplugged = await on.is(moving, Phase.NO_CARRIER, "10.77.0.60/24", "lan1");
  assert.equal(unplugged.reason, "eth1 has no carrier");
  again.plug();
  await on.is(moving, Phase.UP, "10.77.0.60/24", "lan1");
  assert.deepEqual(await on.statusOf(staying), stays);
});

test("an address that another machine has is refused by name, and one wish after the other is followed without a gap", async () => {
  await using on = await ground();
  await using lan = await openLan();
  const peer = lan.host({ address: "10.77.0.20" });
  await on.nic("eth1", lan, 2);
  const plc = await on.container("plc");
  await plc.start();
  const owner = "node/plc";
  const fixed = (address: string, more = {}) =>
    vnic(owner, { addressMode: AddressMode.STATIC, address: `${address}/24`, ...more });
  const other = new RegExp(`10\\.77\\.0\\.20 is already used by the machine with MAC ${peer.mac}`);
  await assert.rejects(on.attach(owner, plc.id, fixed("10.77.0.20")), other);
  assert.equal(await on.statusOf(owner), undefined);
  await assert.rejects(on.attach(owner, plc.id, fixed("10.77.0.2")), /the node's own address on eth1/);

  // What this kernel cannot do is refused, too, and nothing of the try stays.
  for (const more of [{ mode: VnicMode.IPVLAN_L2, mac: "" }, { vlanId: 20 }]) {
    const links = on.links();
    await on.attach(owner, plc.id, fixed("10.77.0.50", more)).then(
      ([made]) => assert.equal(made?.phase, Phase.UP, "a kernel that has it"),
      (thrown: unknown) => assert.equal(ConnectError.from(thrown).code, Code.Unimplemented),
    );
    await on.client.detach({ owner });
    await on.until("the node is as it was", () => on.links() === links);
  }

  const [first] = await on.attach(owner, plc.id, fixed("10.77.0.50"));
  assert.equal(first?.phase, Phase.UP);
  await assert.rejects(on.attach(owner, plc.id, fixed("10.77.0.20")), other);
  await assert.rejects(on.attach("node/twin", plc.id, fixed("10.77.0.51")), /is already a MAC of node\/plc/);
  assert.deepEqual(await on.statusOf(owner), first);
  const [second, added] = await on.attach(
    owner,
    plc.id,
    fixed("10.77.0.51"),
    vnic(owner, { name: "bus0", addressMode: AddressMode.NONE }),
  );
  assert.deepEqual([second?.phase, second?.addresses, added?.phase], [Phase.UP, ["10.77.0.51/24"], Phase.UP]);
  assert.equal(await peer.arping("10.77.0.51"), second?.mac);
  assert.equal(await peer.arping("10.77.0.50"), undefined);

  // Another machine takes the address while the vNIC is away: it waits, and takes it again when the other is gone.
  await on.attach(owner, plc.id, fixed("10.77.0.52"));
  assert.doesNotMatch(await plc.inside("ip", "-o", "link"), /bus0/);
  const conflict = await on.attach(
    "node/late",
    plc.id,
    vnic("node/late", {
      name: "late0",
      parent: "eth9",
      addressMode: AddressMode.STATIC,
      address: "10.77.0.20/24",
    }),
  );
  assert.equal(conflict[0]?.phase, Phase.NO_PARENT);
  await on.nic("eth9", lan, 9);
  const failed = await on.is("node/late", Phase.FAILED, undefined, "late0");
  assert.match(failed.reason, other);
  assert.deepEqual(failed.addresses, []);
});
