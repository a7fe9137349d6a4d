import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EgressRuleSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { judge } from "../../../src/daemon/egress/answer.ts";
import { hostName, rulesFor } from "../../../src/daemon/egress/names.ts";
import fc from "../../fixtures/properties.ts";

const rule = (host: string) => create(EgressRuleSchema, { host });
const isAllowed = (asked: string, ...hosts: string[]) => {
  const name = hostName(asked);
  return name !== undefined && rulesFor(name, hosts.map(rule)).length > 0;
};

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));

test("a name is allowed by itself, however it is written, and not by what only looks like it", () => {
  fc.assert(
    fc.property(host, label, (name, other) => {
      assert.ok(isAllowed(name, name) && isAllowed(`${name.toUpperCase()}.`, name));
      assert.ok(!isAllowed(`${other}.${name}`, name) && !isAllowed(`${other}${name}`, name));
      assert.ok(!isAllowed(`${name}.${other}`, name) && !isAllowed(`${name}${other}`, name));
    }),
  );
});

test("a suffix allows all below it, at any depth, and neither itself nor another that ends alike", () => {
  fc.assert(
    fc.property(host, host, label, (suffix, below, other) => {
      assert.ok(isAllowed(`${below}.${suffix}`, `*.${suffix}`));
      assert.ok(!isAllowed(suffix, `*.${suffix}`) && !isAllowed(`.${suffix}`, `*.${suffix}`));
      assert.ok(!isAllowed(`${other}${suffix}`, `*.${suffix}`));
      assert.ok(!isAllowed(`${below}.${suffix}._${other}`, `*.${suffix}`));
    }),
  );
  assert.ok(!isAllowed("evilexample.com", "*.example.com"));
});

test("what is no host's name is never asked for, whatever it ends in", () => {
  const odd = [
    "",
    ".",
    "a..example.com",
    "-a.example.com",
    "a b.example.com",
    "a\0.example.com",
    "*.example.com",
  ];
  for (const name of [
    ...odd,
    `${"a".repeat(64)}.example.com`,
    `${"a.".repeat(130)}example.com`,
    "ä.example.com",
  ]) {
    assert.equal(isAllowed(name, "*.example.com", "example.com"), false, name);
  }
  fc.assert(
    fc.property(fc.string(), (any) => {
      const name = hostName(any);
      assert.ok(name === undefined || /^[a-z0-9_.-]+$/.test(name));
    }),
  );
});

test("of an allowed name, addresses are told and nothing that could carry words", () => {
  const asked = (type: string, hasIpv6 = false) =>
    judge({ name: "Example.com", type }, [rule("example.com")], hasIpv6).is;
  assert.deepEqual(
    ["A", "AAAA", "UNKNOWN_65", "TXT", "NULL", "ANY", "MX"].map((type) => asked(type)),
    [...["asked", "empty", "empty", "denied", "denied", "denied", "denied"]],
  );
  assert.equal(asked("AAAA", true), "asked");
});
