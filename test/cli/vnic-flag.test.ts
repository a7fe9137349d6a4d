import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import { AddressMode, Ipv6Mode, VnicMode, VnicSchema } from "../../gen/edge/v1/vnics_pb.ts";
import { parseVnic } from "../../src/cli/vnic-flag.ts";

test("a vNIC on a command line means the message of the contract", () => {
  const cases: Record<string, MessageInitShape<typeof VnicSchema>> = {
    lan0: {},
    "lan0,parent=eth0,dhcp": { parent: "eth0", addressMode: AddressMode.DHCP },
    "lan0, parent=00:1B:21:AA:BB:CC, none": { parentMac: "00:1b:21:aa:bb:cc", addressMode: AddressMode.NONE },
    "lan0,parent=eth0,static=192.168.1.50/24,gateway=192.168.1.1,dns=192.168.1.1+9.9.9.9": {
      ...{ parent: "eth0", addressMode: AddressMode.STATIC, address: "192.168.1.50/24" },
      ...{ gateway: "192.168.1.1", dnsServers: ["192.168.1.1", "9.9.9.9"] },
    },
    "lan0,address=10.0.0.5/8": { addressMode: AddressMode.STATIC, address: "10.0.0.5/8" },
    "lan0,follow=50,metric=20,host-access": {
      ...{ addressMode: AddressMode.FOLLOW, host: 50, metric: 20, hostAccess: true },
    },
    "lan0,mode=proxy-arp,mac=02:5F:10:AA:BB:CC,no-default-route": {
      ...{ mode: VnicMode.PROXY_ARP, mac: "02:5f:10:aa:bb:cc", noDefaultRoute: true },
    },
    "lan0,vlan=10,mode=private,ipv6=slaac": {
      ...{ vlanId: 10, mode: VnicMode.MACVLAN_PRIVATE, ipv6Mode: Ipv6Mode.SLAAC },
    },
    "lan0,ipv6=FD77::50/64,ipv6-gateway=fd77::1": {
      ...{ ipv6Mode: Ipv6Mode.STATIC, ipv6Address: "fd77::50/64", ipv6Gateway: "fd77::1" },
    },
  };
  for (const [text, means] of Object.entries(cases)) {
    const expected = create(VnicSchema, { name: "lan0", ...means });
    assert.ok(equals(VnicSchema, parseVnic(text), expected), text);
  }
});

test("what is mistyped is named, with what was meant or what there is", () => {
  const cases: Record<string, RegExp> = {
    "": /must begin with the vNIC's name, as in lan0,parent=eth0,dhcp/,
    "parent=eth0,dhcp": /must begin with the vNIC's name/,
    "dhcp,parent=eth0": /must begin with the vNIC's name/,
    "lan0,parnet=eth0": /"parnet" is not a word of a vNIC; did you mean parent\?/,
    "lan0,constructor=x": /"constructor" is not a word of a vNIC; there are parent=, dhcp, static=,/,
    "lan0,dhcp,": /nothing stands between two commas/,
    "lan0,parent": /parent needs a value, as in parent=eth0/,
    "lan0,parent=": /parent needs a value/,
    "lan0,dhcp=yes": /dhcp has no value: leave out the =/,
    "lan0,dhcp,static=10.0.0.1/8": /dhcp and static exclude one another: each decides the address/,
    "lan0,vlan=1,vlan=2": /vlan is given twice: each decides the VLAN/,
    "lan0,mode=bridged": /"bridged" is not a mode; did you mean bridge\?/,
    "lan0,mode=router":
      /"router" is not a mode; there are bridge, private, vepa, ipvlan, proxy-arp, dedicated/,
    "lan0,follow=1.5": /follow must be a whole number, as in follow=50; it is "1.5"/,
  };
  for (const [text, sentence] of Object.entries(cases)) {
    assert.throws(() => parseVnic(text), { kind: "invalid", message: sentence }, text);
  }
});
