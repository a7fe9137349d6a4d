import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AddressMode, Ipv6Mode, type Vnic, VnicMode, VnicSchema } from "../../gen/edge/v1/vnics_pb.ts";
import { isHostAddress } from "../../src/wire/subnet.ts";
import { wrongVnics } from "../../src/wire/vnics.ts";

type VnicInit = Exclude<MessageInitShape<typeof VnicSchema>, Vnic>;

const { DHCP, STATIC, FOLLOW, NONE } = AddressMode;

/** What is wrong with vNICs on eth0, in short. */
const wrong = (...inits: VnicInit[]) =>
  wrongVnics(
    inits.map((init, index) => create(VnicSchema, { name: `lan${index}`, parent: "eth0", ...init })),
    "v",
  ).map(({ field, message }) => `${field}: ${message}`);

test("vNICs that go together are not complained of", () => {
  const fine: VnicInit[] = [
    {},
    { parent: "", parentMac: "00:1b:21:aa:bb:cc", addressMode: DHCP, vlanId: 7, mac: "02:5f:10:aa:bb:cc" },
    {
      addressMode: STATIC,
      address: "192.168.1.50/24",
      gateway: "192.168.1.1",
      dnsServers: ["192.0.2.1", "fd::1"],
    },
    { addressMode: STATIC, address: "192.0.2.0/31", gateway: "192.0.2.1" },
    { addressMode: FOLLOW, host: 50, dnsServers: ["192.0.2.1"], hostAccess: true, name: "ether1" },
    { addressMode: NONE, mode: VnicMode.DEDICATED, parent: "eth1" },
    { addressMode: DHCP, mode: VnicMode.IPVLAN_L2, ipv6Mode: Ipv6Mode.SLAAC },
    { ipv6Mode: Ipv6Mode.STATIC, ipv6Address: "fd77::50/64", ipv6Gateway: "fd77::1" },
    { ipv6Mode: Ipv6Mode.STATIC, ipv6Address: "fd77::50/64", ipv6Gateway: "fe80::1" },
  ];
  assert.deepEqual(wrong(...fine), []);
});

test("what does not go together is told, all of it at once, with its path", () => {
  assert.deepEqual(
    wrong(
      { name: "eth3", parent: "", addressMode: STATIC, host: 4, mode: 9 as VnicMode },
      { parentMac: "00:1b:21:aa:bb:cc", addressMode: FOLLOW, address: "10.0.0.2/8", gateway: "10.0.0.1" },
      { address: "10.0.0.2/8", host: 4, gateway: "10.0.0.1", dnsServers: ["10.0.0.1"] },
      { mode: VnicMode.DEDICATED, parent: "eth1", mac: "02:00:00:00:00:01", vlanId: 3, hostAccess: true },
      { parent: "eth1", ipv6Address: "fd77::50/64", ipv6Gateway: "fd77::1" },
      { ipv6Mode: Ipv6Mode.STATIC, mac: "02:00:00:00:00:01" },
    ),
    [
      "v[0].name: eth3 is kept for the engine's own networks: choose another, as in lan0",
      "v[0].parent: is required, or parent_mac",
      "v[0].mode: 9 is not one that this program knows",
      "v[0].address: is required with a static address, as in 192.168.1.50/24",
      "v[0].host: is given, and the subnet of the parent is not followed",
      "v[1].parent_mac: is given beside parent: name the parent in one way",
      "v[1].address: is given, and the address mode is not static",
      "v[1].gateway: is given, and the address mode is not static",
      "v[1].host: is required when the subnet of the parent is followed, as in 50",
      "v[2].address: is given, and the address mode is not static",
      "v[2].gateway: is given, and the address mode is not static",
      "v[2].host: is given, and the subnet of the parent is not followed",
      "v[2].dns_servers: are given, and the address mode is neither static nor follow",
      "v[3].mac: cannot be chosen: a dedicated NIC keeps its own",
      "v[3].vlan_id: cannot be given with a dedicated NIC or proxy ARP",
      "v[3].host_access: cannot be had with a dedicated NIC or a private MACVLAN link",
      "v[4].ipv6_address: is given, and the IPv6 mode is not static",
      "v[4].ipv6_gateway: is given, and the IPv6 mode is not static",
      "v[5].ipv6_address: is required with a static IPv6 address, as in fd77::50/64",
      "v[3].parent: is that of v[4] too: a dedicated NIC carries nothing else",
      'v[5].mac: "02:00:00:00:00:01" is already that of v[3]',
    ],
  );
});

test("a static address is one that a machine of its subnet can have, and so is its gateway", () => {
  const said = (address: string, gateway = "") =>
    wrong({ addressMode: STATIC, address, gateway, dnsServers: ["1.2.3"] }).slice(0, -1);
  assert.deepEqual(said("192.168.1.256/24", "192.168.1.300"), [
    'v[0].address: "192.168.1.256/24": it is not an address',
    'v[0].gateway: "192.168.1.300" is not an address',
  ]);
  for (const no of ["192.168.1.0/24", "192.168.1.255/24", "224.0.0.1/24", "127.0.0.1/8", "10.0.0.1/0"]) {
    assert.deepEqual(said(no), [`v[0].address: "${no}": no machine of its subnet can have it`]);
  }
  const outside = (gateway: string) => [`v[0].gateway: ${gateway} is not a machine of 192.168.1.0/24`];
  assert.deepEqual(said("192.168.1.50/24", "192.168.10.1"), outside("192.168.10.1"));
  assert.deepEqual(said("192.168.1.50/24", "192.168.1.255"), outside("192.168.1.255"));
  assert.deepEqual(said("192.168.1.50/24", "192.168.1.50"), ["v[0].gateway: is the address itself"]);
  const six = { ipv6Mode: Ipv6Mode.STATIC, ipv6Address: "fd77::50/64" };
  assert.deepEqual(wrong({ ...six, ipv6Gateway: "fd78::1" }), [
    "v[0].ipv6_gateway: fd78::1 is not a machine of fd77::/64",
  ]);
  assert.deepEqual(wrong({ ...six, ipv6Address: "ff02::1/64" }), [
    'v[0].ipv6_address: "ff02::1/64": no machine of its subnet can have it',
  ]);
  assert.deepEqual(
    wrong({ addressMode: STATIC, address: "not an address", gateway: "x" }),
    [],
    "has a rule of its own",
  );
});

test("the first and the last of an IPv4 subnet are no machine's, but in a /31 and a /32", () => {
  for (const yes of [
    "10.0.0.1/8",
    "192.0.2.1/30",
    "192.0.2.0/31",
    "192.0.2.1/31",
    "192.0.2.0/32",
    "fd::/64",
    "fe80::1/64",
  ]) {
    assert.ok(isHostAddress(yes), yes);
  }
  for (const no of [
    "10.0.0.0/8",
    "10.255.255.255/8",
    "192.0.2.3/30",
    "255.255.255.255/32",
    "::1/128",
    "no/8",
    "10.0.0.1",
  ]) {
    assert.ok(!isHostAddress(no), no);
  }
});
