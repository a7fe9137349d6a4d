import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimeProfile } from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, Ipv6Mode } from "../../../gen/edge/v1/vnics_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { checkSpec } from "../../../src/daemon/runtimes/check.ts";
import { differences, hashOf } from "../../../src/daemon/runtimes/spec.ts";
import { type SpecInit, spec } from "./life.ts";

const plc = (init: SpecInit = {}) =>
  spec("ghcr.io/owner/plc", { profile: RuntimeProfile.OPENPLC, stopGraceMs: 0, ...init, name: "plc1" });

test("specs that mean the same have one hash: order, defaults and the tag `latest` mean nothing", () => {
  const [a, b] = [
    { name: "A", value: "1" },
    { name: "B", value: "2" },
  ];
  const one = plc({
    env: [a, b],
    ports: [
      { nodePort: 80, runtimePort: 1 },
      { nodePort: 443, runtimePort: 1 },
    ],
  });
  const other = plc({
    ...{ image: "ghcr.io/owner/plc:latest", env: [b, a], profile: RuntimeProfile.UNSPECIFIED },
    ports: [
      { nodePort: 443, runtimePort: 1 },
      { nodePort: 80, runtimePort: 1 },
    ],
    ...{ stopGraceMs: 30_000, volumePath: "/var/run/runtime", resources: {} },
  });
  assert.equal(hashOf(one), hashOf(other));
  assert.deepEqual(differences(one, other), []);
});

test("vNICs that mean the same have one hash, and their order counts; without vNICs a spec has the hash that it had", () => {
  const lan = { name: "lan0", parent: "eth0" };
  const [dhcp, usual] = [AddressMode.DHCP, { metric: 100, ipv6Mode: Ipv6Mode.NONE }];
  assert.equal(
    hashOf(plc({ vnics: [lan] })),
    hashOf(plc({ vnics: [{ ...lan, addressMode: dhcp, ...usual }] })),
  );
  const other = { name: "lan1", parent: "eth1" };
  assert.deepEqual(differences(plc({ vnics: [lan, other] }), plc({ vnics: [other, lan] })), ["spec.vnics"]);
  // Written down from before there were vNICs: another hash would make every container again.
  const before = "ec28d8901f327eefe4b4ce3aca6d697ed642592746e026892ef28998f958b49b";
  assert.equal(hashOf(spec("plc:1", { name: "plc1" })), before);
});

test("the fields in which two specs differ are named as the contract names them", () => {
  const changes: SpecInit = {
    ...{ image: "ghcr.io/owner/plc@sha256:".padEnd(89, "0"), profile: RuntimeProfile.PLAIN, stopGraceMs: 1 },
    ...{ env: [{ name: "A" }], labels: [{ key: "k" }], resources: { cpuset: "0" }, volumePath: "/other" },
    ports: [{ nodePort: 80, runtimePort: 1 }],
  };
  assert.deepEqual(differences(plc(), plc(changes)), [
    ...["spec.image", "spec.env", "spec.resources", "spec.profile", "spec.stop_grace_ms", "spec.ports"],
    ...["spec.volume_path", "spec.labels"],
  ]);
  assert.notEqual(hashOf(plc()), hashOf(plc(changes)));
});

test("what the rules of the contract cannot say is refused before anything is made, all at once", () => {
  const bad = plc({
    profile: 7 as RuntimeProfile,
    env: [{ name: "A", value: "a\0b" }],
    volumePath: "/data/../etc",
    resources: { cpuset: "3-1" },
    labels: [{ key: "edge.instance", value: "mine" }],
    ports: [{ nodePort: 70_000, runtimePort: 80 }],
    vnics: [{ name: "lan0" }, { name: "eth1", parent: "eth0", addressMode: AddressMode.STATIC }],
  });
  assert.throws(
    () => checkSpec(bad),
    (thrown) => {
      assert.ok(thrown instanceof Failure);
      assert.deepEqual(
        thrown.violations.map(({ field, message }) => `${field}: ${message}`),
        [
          "spec.ports[0].node_port: is 70000; 1 to 65535 is allowed",
          "spec.env[0].value: must not contain a zero byte",
          "spec.profile: 7 is not a profile that this node knows",
          "spec.volume_path: must not contain '.' or '..' as a folder",
          "spec.resources.cpuset: 3-1 is not a range: it ends before it begins",
          'spec.labels[0].key: "edge.instance" must not begin with edge.: these are the daemon\'s own',
          "spec.vnics[0].parent: is required, or parent_mac",
          "spec.vnics[1].name: eth1 is kept for the engine's own networks: choose another, as in lan0",
          "spec.vnics[1].address: is required with a static address, as in 192.168.1.50/24",
        ],
      );
      return thrown.kind === "invalid";
    },
  );
  assert.doesNotThrow(() => checkSpec(plc({ resources: { cpuset: "0-1,3" } })));
});
