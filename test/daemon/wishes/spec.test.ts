import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { RuntimeProfile } from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, Ipv6Mode } from "../../../gen/edge/v1/vnics_pb.ts";
import { RestartMode, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { capabilitiesSetting } from "../../../src/daemon/wishes/capabilities.ts";
import { checkSpec } from "../../../src/daemon/wishes/check.ts";
import { differences, hashOf } from "../../../src/daemon/wishes/spec.ts";
import { type SpecInit, spec } from "../runtimes/life.ts";

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

test("vNICs that mean the same have one hash, and their order counts", () => {
  const lan = { name: "lan0", parent: "eth0" };
  const [dhcp, usual] = [AddressMode.DHCP, { metric: 100, ipv6Mode: Ipv6Mode.NONE }];
  assert.equal(
    hashOf(plc({ vnics: [lan] })),
    hashOf(plc({ vnics: [{ ...lan, addressMode: dhcp, ...usual }] })),
  );
  const other = { name: "lan1", parent: "eth1" };
  assert.deepEqual(differences(plc({ vnics: [lan, other] }), plc({ vnics: [other, lan] })), ["spec.vnics"]);
});

test("a spec that uses nothing new has the hash that it always had: another one would make every container again", () => {
  const plain = spec("plc:1", { name: "plc1" });
  const openplc = spec("plc:1", { name: "plc1", profile: RuntimeProfile.OPENPLC, stopGraceMs: 0 });
  const full = spec("ghcr.io/owner/plc@sha256:".padEnd(89, "0"), {
    ...{ name: "plc1", profile: RuntimeProfile.UNSPECIFIED, stopGraceMs: 5_000, volumePath: "/var/lib/plc" },
    env: [
      { name: "B", value: "2" },
      { name: "A", value: "1" },
    ],
    resources: { memoryBytes: 536_870_912n, cpuset: "0-1", pidsLimit: 200n },
    ports: [{ nodePort: 18_443, runtimePort: 8443 }],
    labels: [{ key: "line", value: "1" }],
    vnics: [
      {
        ...{ name: "lan0", parent: "eth0", addressMode: AddressMode.STATIC, address: "10.0.0.5/24" },
        ipv6Mode: Ipv6Mode.SLAAC,
      },
    ],
  });
  // The first was written down before there were vNICs, the others before there were commands, volumes and all that is with them.
  assert.deepEqual([plain, openplc, full].map(hashOf), [
    "ec28d8901f327eefe4b4ce3aca6d697ed642592746e026892ef28998f958b49b",
    "202704b1dd4db26c6096439d43043fce1a26f0aa91337c4a2e8b7b83b7e8d78c",
    "47b28bcd9b71bf7ae45820118851db9007e9a5796d6e28f1c4aeb6504c422980",
  ]);
});

test("what is written out and is usual anyway means nothing, nor does the order of what has none", () => {
  const [a, b] = [
    { name: "a", path: "/a" },
    { name: "b", path: "/b" },
  ];
  const one = plc({
    ...{
      volumes: [a, b],
      capabilities: ["NET_RAW", "IPC_LOCK"],
      tmpfs: [{ path: "/tmp" }],
      command: ["x", "y"],
    },
    ...{ health: { tcp: { port: 502 } }, after: [{ runtime: "db" }] },
  });
  const other = plc({
    ...{ volumes: [b, a], capabilities: ["IPC_LOCK", "NET_RAW"], command: ["x", "y"] },
    tmpfs: [{ path: "/tmp", sizeBytes: 64n << 20n }],
    ...{
      log: { fileBytes: 10_000_000n, files: 3 },
      resources: { cpuWeight: 100 },
      restart: RestartMode.ALWAYS,
    },
    health: { tcp: { port: 502 }, intervalMs: 30_000, timeoutMs: 5_000, failures: 3, startPeriodMs: 60_000 },
    after: [{ runtime: "db", condition: StartCondition.RUNNING }],
  });
  assert.equal(hashOf(one), hashOf(other));
  assert.deepEqual(differences(one, plc({ ...one, command: ["y", "x"], $typeName: undefined } as SpecInit)), [
    "spec.command",
  ]);
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

test("what goes with what in a container is told by name, all at once", () => {
  const bad = plc({
    command: ["a\0b"],
    entrypoint: ["", "x"],
    volumes: [
      { name: "one", path: "/var/run/runtime" },
      { name: "two", path: "/data/../etc" },
      { name: "three", path: "/run/three" },
      { name: "four", path: "/etc/hosts" },
      { name: "five", path: "/run/three/five" },
    ],
    tmpfs: [{ path: "/run" }, { path: "/var/run/three" }, { path: "/proc/x" }, { path: "/dev/shm" }],
    ulimits: [
      { name: "nofile", soft: 2n, hard: 1n },
      { name: "memlock", soft: -1n, hard: 5n },
      { name: "core", soft: 5n, hard: -1n },
    ],
    capabilities: ["NET_RAW", "ALL", "NET_RAW", "sys_nice"],
    restart: 9 as RestartMode,
    after: [{ runtime: "db", condition: 9 as StartCondition }],
  });
  const why = "what is kept and what is forgotten must not lie in one another";
  const violations = (() => {
    try {
      checkSpec(bad);
    } catch (thrown) {
      return thrown instanceof Failure ? thrown.violations : [];
    }
    return [];
  })();
  assert.deepEqual(
    violations.map(({ field, message }) => `${field}: ${message}`),
    [
      'spec.capabilities[3]: "sys_nice" must be a capability without CAP_, as in NET_ADMIN',
      "spec.command[0]: must not contain a zero byte",
      "spec.entrypoint[0]: is the program, and must not be empty",
      "spec.restart: 9 is not one that this node knows",
      "spec.after[0].condition: 9 is not one that this node knows",
      "spec.volumes[0].path: is the place of spec.volume_path already: each must be different",
      "spec.volumes[1].path: must not contain '.' or '..' as a folder",
      "spec.volumes[3].path: /etc/hosts is the engine's own: choose another",
      `spec.tmpfs[0].path: hides /var/run/runtime of spec.volume_path: ${why}`,
      `spec.tmpfs[0].path: hides /var/run/runtime of spec.volumes[0].path: ${why}`,
      `spec.tmpfs[0].path: hides /run/three of spec.volumes[2].path: ${why}`,
      `spec.tmpfs[0].path: hides /run/three/five of spec.volumes[4].path: ${why}`,
      "spec.tmpfs[1].path: is the place of /run/three of spec.volumes[2].path already: each must be different",
      `spec.tmpfs[1].path: hides /run/three/five of spec.volumes[4].path: ${why}`,
      "spec.tmpfs[2].path: /proc/x is the kernel's own: choose another",
      "spec.ulimits[0].hard: 1 is below the limit in force, which is 2: raise it, or give -1 for none",
      "spec.ulimits[1].hard: 5 is below the limit in force, which is none: raise it, or give -1 for none",
      "spec.capabilities[1]: ALL is no capability of Linux: see capabilities(7)",
      'spec.capabilities[2]: "NET_RAW" is already spec.capabilities[0]',
    ],
  );
});

test("a lock folder has a place of its own, which may lie within another", () => {
  const refused = (init: SpecInit) => {
    try {
      checkSpec(plc(init));
      return [];
    } catch (thrown) {
      return thrown instanceof Failure
        ? thrown.violations.map(({ field, message }) => `${field}: ${message}`)
        : [];
    }
  };
  const [volumes, tmpfs] = [[{ name: "logs", path: "/var/log/plc" }], [{ path: "/tmp" }]];
  for (const lockPath of ["/locks", "/tmp/locks", "/var/log/plc/locks", "/var/run/runtime/locks"]) {
    assert.deepEqual(refused({ volumes, tmpfs, lockPath }), [], lockPath);
  }
  const at = (lockPath: string) =>
    refused({ volumes, tmpfs, lockPath })
      .join("; ")
      .replace(/: what .*/, "");
  assert.deepEqual(["/dev/shm", "/proc/locks", "/etc/hosts", "/a/../b"].map(at), [
    "spec.lock_path: /dev/shm is the engine's own: choose another",
    "spec.lock_path: /proc/locks is the kernel's own: choose another",
    "spec.lock_path: /etc/hosts is the engine's own: choose another",
    "spec.lock_path: must not contain '.' or '..' as a folder",
  ]);
  assert.equal(
    at("/tmp"),
    "spec.lock_path: is the place of spec.tmpfs[0].path already: each must be different",
  );
  assert.equal(at("/var/log"), "spec.lock_path: hides /var/log/plc of spec.volumes[0].path");
});

test("windows mean the same in any order", () => {
  const [one, other] = [
    { cron: "0 2 * * 6", durationMs: 60_000n, timeZone: "UTC" },
    { cron: "0 2 * * 6", durationMs: 60_000n, timeZone: "Europe/Berlin" },
  ];
  const utc = { ...one, timeZone: "" };
  assert.equal(hashOf(plc({ maintenance: [one, other] })), hashOf(plc({ maintenance: [other, utc] })));
  assert.notEqual(hashOf(plc({ maintenance: [one] })), hashOf(plc({ maintenance: [other] })));
});

test("the list of capabilities that a node allows is a list, or a text with commas, of capabilities that there are", () => {
  const { schema } = capabilitiesSetting({ default: [], doc: "" });
  const read = (given: unknown) => v.safeParse(schema, given).output;
  assert.deepEqual(read("NET_ADMIN, NET_RAW"), ["NET_ADMIN", "NET_RAW"]);
  assert.deepEqual([read(["SYS_TIME"]), read([]), read("")], [["SYS_TIME"], [], []]);
  for (const wrong of ["ALL", "CAP_NET_RAW", "NET_RAW,", ["net_raw"], 5]) {
    assert.equal(v.safeParse(schema, wrong).success, false, String(wrong));
  }
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
          "spec.vnics[0].parent: is required, or parent_mac",
          "spec.vnics[1].name: eth1 is kept for the engine's own networks: choose another, as in lan0",
          "spec.vnics[1].address: is required with a static address, as in 192.168.1.50/24",
          "spec.env[0].value: must not contain a zero byte",
          "spec.profile: 7 is not a profile that this node knows",
          "spec.resources.cpuset: 3-1 is not a range: it ends before it begins",
          'spec.labels[0].key: "edge.instance" must not begin with edge.: these are the daemon\'s own',
          "spec.volume_path: must not contain '.' or '..' as a folder",
        ],
      );
      return thrown.kind === "invalid";
    },
  );
  assert.doesNotThrow(() => checkSpec(plc({ resources: { cpuset: "0-1,3" } })));
});
