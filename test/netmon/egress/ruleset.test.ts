import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AllowEgressRequestSchema, GuardEgressRequestSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import type { Failure } from "../../../src/base/failure.ts";
import { checkedGuard, checkOpening } from "../../../src/netmon/egress/check.ts";
import { clearingOf, deniedIn } from "../../../src/netmon/egress/denied.ts";
import { openingOf, rulesetOf } from "../../../src/netmon/egress/ruleset.ts";

const containerId = "0123456789abcdef".repeat(4);
const resolver = { address: "172.18.0.1", port: 10053, knownAs: "169.254.53.53" };
type Init = Exclude<MessageInitShape<typeof GuardEgressRequestSchema>, { $typeName: string }>;
const guard = (init: Init = {}) => create(GuardEgressRequestSchema, { containerId, resolver, ...init });

test("of ranges that hold an address, the narrowest is asked first", () => {
  const rules = rulesetOf(
    checkedGuard(
      guard({
        ranges: [
          { cidr: "0.0.0.0/0", tcpPorts: [443, 80] },
          { cidr: "169.254.1.1/32", tcpPorts: [80], udpPorts: [80] },
          { cidr: "FD00::/8", udpPorts: [53] },
        ],
        closed: ["169.254.0.0/16", "fe80::/10"],
      }),
    ),
  );
  const verdicts = rules
    .split("\n")
    .flatMap((line) => /^ {4}(ip6? daddr \S+\/\d+ .*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(verdicts, [
    "ip daddr 169.254.1.1/32 tcp dport { 80 } accept",
    "ip daddr 169.254.1.1/32 udp dport { 80 } accept",
    "ip daddr 169.254.0.0/16 goto denied",
    "ip6 daddr fe80::/10 goto denied",
    "ip6 daddr fd00::/8 udp dport { 53 } accept",
    "ip daddr 0.0.0.0/0 tcp dport { 443, 80 } accept",
  ]);
});

test("nothing that is asked gets into nft's words but addresses, ranges and ports", () => {
  const evil = "10.0.0.0/8; flush ruleset; #";
  const wrong: [Init, string][] = [
    [{ ranges: [{ cidr: evil, tcpPorts: [80] }] }, "ranges[0].cidr"],
    [{ ranges: [{ cidr: "10.0.0.0/33", tcpPorts: [80] }] }, "ranges[0].cidr"],
    [{ closed: [evil] }, "closed[0]"],
    [{ resolver: { ...resolver, address: "::1" } }, "resolver.address"],
    [{ resolver: { ...resolver, knownAs: "1.1.1.1 }" } }, "resolver.known_as"],
    [{ resolver: { ...resolver, port: 70_000 } }, "resolver.port"],
    [{ ranges: [{ cidr: "10.0.0.0/8", tcpPorts: [0] }] }, "ranges[0].tcp_ports[0]"],
    [{ containerId: "x" }, "container_id"],
  ];
  for (const [init, field] of wrong) {
    assert.throws(
      () => checkedGuard(guard(init)),
      ({ kind, message }: Failure) => kind === "invalid" && message.startsWith(`${field}: `),
    );
  }
  for (const address of ["1.2.3.4/32", "example.com", "fe80::1%eth0", "1.2.3.4 . tcp"]) {
    const asked = create(AllowEgressRequestSchema, { containerId, addresses: [address], seconds: 1 });
    assert.throws(() => checkOpening(asked), { kind: "invalid", message: /addresses\[0\]/ });
  }
});

test("an address is opened again for the whole time, and at no moment missing", () => {
  const words = openingOf({
    addresses: ["203.0.113.1", "2001:db8::1"],
    tcpPorts: [80],
    udpPorts: [],
    seconds: 65,
  });
  assert.deepEqual(words.split("\n").slice(0, 4), [
    "add element inet orchestrator_egress names4 { 203.0.113.1 . tcp . 80 }",
    "delete element inet orchestrator_egress names4 { 203.0.113.1 . tcp . 80 }",
    "add element inet orchestrator_egress names4 { 203.0.113.1 . tcp . 80 timeout 65s }",
    "add element inet orchestrator_egress names6 { 2001:db8::1 . tcp . 80 }",
  ]);
});

test("what was denied is read as nft tells it, and cleared", () => {
  const element = (concat: (string | number)[], packets: number) => ({
    elem: { val: { concat }, counter: { packets, bytes: 60 } },
  });
  const listed = JSON.stringify({
    nftables: [
      { metainfo: { version: "1.0.6" } },
      { counter: { name: "others", packets: 9, bytes: 1 } },
      {
        set: {
          name: "names4",
          elem: [{ elem: { val: { concat: ["203.0.113.1", "tcp", 80] }, timeout: 60 } }],
        },
      },
      {
        set: {
          name: "denied4",
          elem: [element(["8.8.8.8", "udp", 53], 2), element(["8.8.4.4", "tcp", 443], 1)],
        },
      },
      { set: { name: "portless6", elem: [element(["2001:db8::1", "ipv6-icmp"], 3)] } },
      { set: { name: "denied6" } },
      { rule: { chain: "output" } },
    ],
  });
  const denied = deniedIn(listed);
  assert.deepEqual([...denied.values()].flat(), [
    { destination: "", port: 0, protocol: "", count: 9 },
    { destination: "8.8.8.8", protocol: "udp", port: 53, count: 2 },
    { destination: "8.8.4.4", protocol: "tcp", port: 443, count: 1 },
    { destination: "2001:db8::1", protocol: "ipv6-icmp", port: 0, count: 3 },
  ]);
  assert.deepEqual(clearingOf(denied).split("\n"), [
    "delete element inet orchestrator_egress denied4 { 8.8.8.8 . udp . 53, 8.8.4.4 . tcp . 443 }",
    "delete element inet orchestrator_egress portless6 { 2001:db8::1 . ipv6-icmp }",
    "",
  ]);
  assert.throws(() => deniedIn("{}"), { kind: "internal" });
});
