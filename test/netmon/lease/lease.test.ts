import assert from "node:assert/strict";
import { test } from "node:test";
import { differences, leaseFrom } from "../../../src/netmon/lease/lease.ts";

const given = {
  ip: "10.77.0.100",
  mask: "24",
  subnet: "255.255.255.0",
  router: "10.77.0.1 10.77.0.2",
  dns: "10.77.0.3",
  domain: "plant.example",
  lease: "120",
  serverid: "10.77.0.1",
};
const read = (values: Record<string, string>, at = 1_000) => leaseFrom(new Map(Object.entries(values)), at);

test("a lease is read from what udhcpc tells its script", () => {
  assert.deepEqual(read(given), {
    address: "10.77.0.100/24",
    gateways: ["10.77.0.1", "10.77.0.2"],
    dnsServers: ["10.77.0.3"],
    domain: "plant.example",
    server: "10.77.0.1",
    leaseSeconds: 120,
    ...{ boundAt: 1_000, renewedAt: 1_000, expiresAt: 121_000 },
    routes: [],
    mtu: 0,
  });
});

test("the prefix is a number or dotted, and of the address's class when the server sends none that is one", () => {
  const prefix = (values: Record<string, string>) =>
    read({ ip: "172.16.3.4", ...values })?.address.split("/")[1];
  assert.equal(prefix({ mask: "20" }), "20");
  assert.equal(prefix({ mask: "255.255.240.0" }), "20");
  assert.equal(prefix({ subnet: "255.255.255.255" }), "32");
  assert.equal(prefix({ mask: "33", subnet: "255.255.255.128" }), "25");
  for (const mask of ["", "255.0.255.0", "0.0.0.0", "0", "-1", "24x", "255.255.255"]) {
    assert.equal(prefix({ mask, subnet: mask }), "16", mask);
  }
  assert.equal(read({ ip: "10.1.1.1" })?.address, "10.1.1.1/8");
  assert.equal(read({ ip: "192.168.1.1" })?.address, "192.168.1.1/24");
});

test("classless routes are kept, and hide the router as RFC 3442 wants", () => {
  const staticroutes =
    "10.1.2.3/16 10.77.0.9 0.0.0.0/0 10.77.0.2 10.5.0.0/24 0.0.0.0 nonsense 10.77.0.9 10.6.0.0/40 10.77.0.9";
  const lease = read({ ...given, staticroutes });
  assert.deepEqual(lease?.gateways, ["10.77.0.2"]);
  assert.deepEqual(lease?.routes, [
    { destination: "10.1.0.0/16", gateway: "10.77.0.9" },
    { destination: "0.0.0.0/0", gateway: "10.77.0.2" },
    { destination: "10.5.0.0/24", gateway: "" },
  ]);
  assert.deepEqual(read({ ...given, msstaticroutes: "10.1.0.0/16 10.77.0.9 10.2.0.0/16" })?.gateways, []);
});

test("nothing malformed is taken, and without an address of a station there is no lease", () => {
  for (const ip of [
    "",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "127.0.0.1",
    "10.77.0",
    "10.77.0.256",
    "$(reboot)",
    "::1",
  ]) {
    assert.equal(read({ ...given, ip }), undefined, ip);
  }
  const odd = read({
    ...given,
    ...{ router: "0.0.0.0 x 10.77.0.1", dns: "none 255.255.255.255", domain: 'a"; reboot', serverid: "?" },
    ...{ lease: "soon", mtu: "12" },
  });
  assert.deepEqual(odd?.gateways, ["10.77.0.1"]);
  assert.deepEqual([odd.dnsServers, odd.domain, odd.server, odd.mtu], [[], "", "", 0]);
  assert.equal(odd.leaseSeconds, 3_600);
  assert.equal(read({ ...given, lease: "4294967295", mtu: "1400" })?.mtu, 1_400);
});

test("leases differ in what matters to their station, not in times or who gave them", () => {
  const [one, other] = [read(given), read({ ...given, serverid: "10.77.0.8", lease: "60" }, 9_000)];
  const elsewhere = read({ ...given, ip: "10.77.0.101", router: "10.77.0.9", dns: "" });
  assert.ok(one && other && elsewhere);
  assert.deepEqual(differences(one, other), []);
  assert.deepEqual(differences(one, elsewhere), ["another address", "another gateway", "other name servers"]);
});
