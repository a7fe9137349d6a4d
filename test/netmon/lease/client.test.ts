import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, test } from "node:test";
import { releaseLease } from "../../../src/netmon/lease/index.ts";
import { openLan } from "../../fixtures/lan.ts";
import { until } from "../../journeys/until.ts";
import { clientId, mac, station } from "./station.ts";

const inTime = () => AbortSignal.timeout(60_000);

describe("a lease, from real servers", { concurrency: 3 }, () => {
  test("is bound for the link's own MAC, renewed without another word, changed when something of it is", async () => {
    await using lan = await openLan();
    using plc = station(lan);
    const range = [lan.at(100), lan.at(110)] as const;
    const options = ["option:mtu,1400", `121,10.1.0.0/16,${lan.at(9)},0.0.0.0/0,${lan.at(2)}`];
    await lan.startDhcp({ range, options, dnsServers: [lan.at(3)] });
    await using client = plc.lease();
    const { lease } = await plc.next("bound");
    const [written] = lan.leases();
    assert.ok(written);
    const { expiresAt: _, ...who } = written;
    assert.deepEqual(who, { mac, address: lease.address.split("/")[0], hostName: "press-7", clientId });
    assert.deepEqual([lease.mtu, lease.gateways, lease.dnsServers], [1_400, [lan.at(2)], [lan.at(3)]]);
    assert.equal(lease.routes.length, 2);
    assert.equal(lease.expiresAt - lease.renewedAt, 120_000);

    plc.signal("SIGUSR1");
    const { lease: renewed } = await plc.next("renewed");
    assert.ok(renewed.renewedAt > lease.renewedAt && renewed.expiresAt > lease.expiresAt);
    const { renewedAt, expiresAt } = renewed;
    assert.deepEqual(renewed, { ...lease, renewedAt, expiresAt });

    await lan.startDhcp({ range, options, dnsServers: [lan.at(4)] });
    client.askAgain("the test says so");
    const changed = await plc.next("changed");
    assert.match(changed.reason, /gave other name servers, asked because the test says so/);
    assert.equal(changed.lease.address, lease.address);
    assert.deepEqual(plc.kinds(), ["bound", "renewed", "changed"]);
  });

  test("comes when the server does, is not lost with its client, and comes again after a restart", async () => {
    await using lan = await openLan();
    using plc = station(lan);
    const first = plc.lease();
    await plc.next("silent");
    await lan.startDhcp({ range: [lan.at(100), lan.at(110)] });
    const { lease } = await plc.next("bound");

    plc.signal("SIGKILL");
    assert.equal((await plc.next("renewed")).lease.address, lease.address);
    await first[Symbol.asyncDispose]();
    assert.deepEqual(plc.pids(), []);

    await using _again = plc.lease(lease);
    assert.equal((await plc.next("renewed")).lease.boundAt, lease.boundAt);
    assert.deepEqual(plc.kinds(), ["silent", "bound", "renewed", "renewed"]);
  });

  test("changes when the cable is put into another LAN, and when the server refuses it", async () => {
    await using lan = await openLan();
    await using other = await openLan({ subnet: "10.78.0.0/24" });
    using plc = station(lan);
    await lan.startDhcp({ range: [lan.at(100), lan.at(110)] });
    await other.startDhcp({ range: [other.at(100), other.at(110)] });
    await using client = plc.lease();
    const { lease } = await plc.next("bound");

    plc.cable.moveTo(other);
    client.askAgain("the parent is in another subnet");
    const moved = await plc.next("changed");
    assert.deepEqual(moved.before, lease);
    assert.match(moved.lease.address, /^10\.78\.0\.1\d\d\/24$/);

    // Somebody wrote down another address for it: the server refuses to renew what it gave, and takes its time to give the other.
    await other.startDhcp({
      ...{ range: [other.at(100), other.at(110)], hosts: { [mac]: other.at(50) } },
      offerDelaySeconds: 1,
    });
    plc.signal("SIGUSR1");
    const refused = await plc.next("changed");
    assert.match(refused.reason, /gave another address, asked because the server took the old one back/);
    assert.equal(refused.lease.address, `${other.at(50)}/24`);
    assert.match(other.dhcpLog(), /DHCPNAK/);
    assert.deepEqual(plc.kinds(), ["bound", "changed", "changed"]);
  });

  test("that is known from before ends when it would have, though nobody answers", async () => {
    await using lan = await openLan();
    using plc = station(lan);
    const now = Date.now();
    const known = {
      address: `${lan.at(100)}/24`,
      gateways: [],
      dnsServers: [],
      domain: "",
      server: lan.router,
      leaseSeconds: 120,
      boundAt: now - 3_600_000,
      renewedAt: now - 118_000,
      expiresAt: now + 2_000,
      routes: [],
      mtu: 0,
    };
    // The second is from when the clock was an hour ahead: it lasts no longer than it was given for.
    for (const one of [known, { ...known, leaseSeconds: 2, expiresAt: now + 3_600_000 }]) {
      plc.network.ip(`address add ${one.address} dev lan0`);
      await using _client = plc.lease(one);
      assert.deepEqual((await plc.next("lost")).before, one);
    }
  });

  test("is given back at the server, by its client or when there is none any more", async () => {
    await using lan = await openLan();
    using plc = station(lan);
    await lan.startDhcp({ range: [lan.at(100), lan.at(110)] });
    const client = plc.lease();
    await plc.next("bound");
    assert.equal(lan.leases().length, 1);
    plc.network.ip("address flush dev lan0");
    await client.release(inTime());
    await until("the server has it back", () => lan.leases().length === 0);
    assert.match(lan.dhcpLog(), new RegExp(`DHCPRELEASE\\(switch\\) \\S+ ${mac}`));
    assert.deepEqual([plc.pids(), plc.kinds()], [[], ["bound"]]);

    const second = plc.lease();
    const { lease } = await plc.next("bound");
    await second[Symbol.asyncDispose]();
    plc.network.ip("address flush dev lan0");
    await releaseLease({ place: plc.place, device: "lan0", lease, clientId, signal: inTime() });
    await until("the server has it back", () => lan.leases().length === 0);
    assert.deepEqual(plc.pids(), []);
    assert.ok(!plc.network.exec("ip", "address").includes("10.77."));

    await lan.stopDhcp();
    const signal = AbortSignal.timeout(500);
    await assert.rejects(releaseLease({ place: plc.place, device: "lan0", lease, clientId, signal }), {
      name: "TimeoutError",
    });
    assert.deepEqual(plc.pids(), []);
  });

  test("leaves no client behind when netmon is killed", async () => {
    await using lan = await openLan();
    using plc = station(lan);
    const holder = spawn(process.execPath, [join(import.meta.dirname, "holder.ts"), plc.network.name]);
    try {
      await until("it asks", () => plc.pids().length === 1);
    } finally {
      holder.kill("SIGKILL");
      await once(holder, "close");
    }
    await until("it is gone", () => plc.pids().length === 0);
  });
});
