import assert from "node:assert/strict";
import { test } from "node:test";
import { subnetOf, subnetsOf } from "../../src/wire/subnet.ts";

test("the subnet of an address is its network with the same prefix, in the usual short form", () => {
  const cases = {
    "192.168.1.4/24": "192.168.1.0/24",
    "10.77.255.3/9": "10.0.0.0/9",
    "192.0.2.9/31": "192.0.2.8/31",
    "192.0.2.9/32": "192.0.2.9/32",
    "255.255.255.255/0": "0.0.0.0/0",
    "2001:db8::10/64": "2001:db8::/64",
    "2001:db8:0:0:1:0:0:1/128": "2001:db8::1:0:0:1/128",
    "fe80::fc:ff:fe00:1/10": "fe80::/10",
    "1:2:3:4:5:6:7:8/127": "1:2:3:4:5:6:7:8/127",
    "::ffff:192.0.2.1/96": "::ffff:0:0/96",
    "::1/0": "::/0",
  };
  for (const [address, subnet] of Object.entries(cases)) assert.equal(subnetOf(address), subnet);
  assert.deepEqual(subnetsOf(["192.0.2.1/24", "192.0.2.2/24", "nothing", "198.51.100.1/24"]), [
    "192.0.2.0/24",
    "198.51.100.0/24",
  ]);
});

test("what is no address with a prefix has no subnet", () => {
  for (const text of [
    "",
    "192.0.2.1",
    "192.0.2.1/33",
    "192.0.2/24",
    "192.0.2.256/24",
    "::1/129",
    "1::2::3/64",
    "a/8",
  ])
    assert.equal(subnetOf(text), undefined, text);
});
