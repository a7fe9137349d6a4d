import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentNetworkSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { guardOf } from "../../../src/daemon/egress/plan.ts";
import { mayMean, metadataRanges } from "../../../src/daemon/egress/reach.ts";
import { wrongAgentNetwork } from "../../../src/wire/agent-network.ts";

const none = { open: [], closed: metadataRanges };

test("a name may mean what is the Internet's, and what is near only where a range of the agent holds it", () => {
  const near = [
    ...[
      "10.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "127.0.0.1",
      "0.0.0.0",
      "100.64.0.1",
      "198.18.0.1",
    ],
    ...["224.0.0.1", "255.255.255.255", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
    ...["::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:8.8.8.8", "64:ff9b::7f00:1"],
    ...["2002:7f00:1::", "2001:0:7f00:1::"],
  ];
  assert.deepEqual(
    near.filter((address) => mayMean(address, none)),
    [],
  );
  const far = [
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "100.128.0.1",
    "223.255.255.255",
    "2606:4700::1111",
  ];
  assert.deepEqual(
    far.filter((address) => !mayMean(address, none)),
    [],
  );
  assert.ok(mayMean("10.0.0.1", { ...none, open: ["10.0.0.0/8"] }));
  assert.ok(mayMean("fd00::1", { ...none, open: ["fd00::/8"] }));
  assert.ok(!mayMean("10.0.0.1", { ...none, open: ["10.0.0.2/31", "::/0"] }));
});

test("no range opens a cloud's metadata but one that means it", () => {
  assert.ok(mayMean("10.0.0.1", { ...none, open: ["0.0.0.0/0"] }));
  assert.ok(!mayMean("169.254.169.254", { ...none, open: ["0.0.0.0/0", "128.0.0.0/1"] }));
  assert.ok(mayMean("169.254.169.254", { ...none, open: ["0.0.0.0/0", "169.254.169.254/32"] }));
  assert.ok(!mayMean("169.254.169.253", { ...none, open: ["0.0.0.0/0", "169.254.169.254/32"] }));
});

test("what netmon is asked: ranges with their ports, 443 where none is named, and the cells' own network closed", () => {
  const network = create(AgentNetworkSchema, {
    allow: [
      { host: "example.com", ports: [80] },
      { cidr: "10.0.0.0/8" },
      { cidr: "10.1.0.0/16", ports: [53, 54], udp: true },
    ],
  });
  const onBridge = { address: "172.18.0.2", gateway: "172.18.0.1", subnet: "172.18.0.0/16" };
  const { resolver, ranges, closed } = guardOf(network, { holderId: "f".repeat(64), onBridge, port: 10053 });
  assert.deepEqual(
    ranges.map(({ cidr, tcpPorts, udpPorts }) => [cidr, tcpPorts, udpPorts]),
    [
      ["10.0.0.0/8", [443], []],
      ["10.1.0.0/16", [53, 54], [53, 54]],
    ],
  );
  assert.deepEqual(closed, ["172.18.0.0/16", ...metadataRanges]);
  assert.deepEqual([resolver?.address, resolver?.port], ["172.18.0.1", 10053]);
});

test("a manifest's entry names one thing, and a range as it is", () => {
  const allow = [
    ...[
      {},
      { host: "a.com", cidr: "10.0.0.0/8" },
      { host: "10.0.0.1" },
      { cidr: "10.0.0.1/8" },
      { cidr: "10.0.0.0" },
    ],
    ...[{ host: "*.a.com" }, { cidr: "fd00::/8" }, { cidr: "10.0.0.1/32" }],
  ];
  const wrong = wrongAgentNetwork(create(AgentNetworkSchema, { allow }), "spec.network");
  assert.deepEqual(
    wrong.map(({ field, message }) => `${field} ${message}`),
    [
      "spec.network.allow[0] needs a host or a cidr",
      "spec.network.allow[1].cidr is given beside host: make two entries of them",
      "spec.network.allow[2].host is an address: write cidr: 10.0.0.1/32 instead",
      "spec.network.allow[3].cidr 10.0.0.1/8 must be 10.0.0.0/8",
      "spec.network.allow[4].cidr 10.0.0.0 must be a range such as 10.20.0.0/16 or fd00::/8",
    ],
  );
});
