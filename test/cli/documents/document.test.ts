import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, equals, toJson } from "@bufbuild/protobuf";
import { RuntimeProfile, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { RestartMode, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { readDocument } from "../../../src/cli/documents/document.ts";
import { messageFrom } from "../../../src/cli/documents/message.ts";
import { tempFolder } from "../../fixtures/folder.ts";

/** What a file with this text describes. */
async function read(text: string) {
  using folder = tempFolder();
  writeFileSync(join(folder.path, "file.yaml"), text);
  const { spec } = await readDocument("file.yaml", { cwd: folder.path });
  return messageFrom(RuntimeSpecSchema, spec, "spec");
}

test("a file describes a runtime by the contract's names, of either spelling", async () => {
  const expected = create(RuntimeSpecSchema, {
    name: "press-1",
    image: "plc:4",
    profile: RuntimeProfile.PLAIN,
    stopGraceMs: 5000,
    resources: { memoryBytes: 536870912n },
    env: [{ name: "MODE", value: "on" }],
    vnics: [{ name: "lan0", parent: "eth0", addressMode: AddressMode.STATIC, address: "192.168.1.50/24" }],
  });
  const yaml = `
kind: Runtime
spec:
  name: press-1
  image: plc:4
  profile: plain
  stop_grace_ms: 5000
  resources: { memory_bytes: 536870912 }
  env: [{ name: MODE, value: on }]
  labels:            # Nothing stands behind it.
  vnics:
    - name: lan0
      parent: eth0
      address_mode: static
      address: 192.168.1.50/24
`;
  const json = JSON.stringify({
    kind: "Runtime",
    spec: {
      ...{ name: "press-1", image: "plc:4", profile: "RUNTIME_PROFILE_PLAIN", stopGraceMs: 5000 },
      ...{ resources: { memoryBytes: 536870912 }, env: [{ name: "MODE", value: "on" }] },
      vnics: [
        { name: "lan0", parent: "eth0", addressMode: "ADDRESS_MODE_STATIC", address: "192.168.1.50/24" },
      ],
    },
  });
  for (const text of [yaml, json]) assert.ok(equals(RuntimeSpecSchema, await read(text), expected), text);
});

test("a file may say all that the contract has of a container and its life", async () => {
  const expected = create(RuntimeSpecSchema, {
    ...{ name: "press-1", image: "plc:4", command: ["--log", "debug"], entrypoint: ["/bin/plc"] },
    volumes: [{ name: "recipes", path: "/recipes", readOnly: true }],
    tmpfs: [{ path: "/tmp", sizeBytes: 4096n }],
    ulimits: [{ name: "memlock", soft: -1n, hard: -1n }],
    capabilities: ["NET_RAW"],
    log: { fileBytes: 65_536n, files: 2 },
    resources: { cpuWeight: 200, cpuQuotaMillis: 500 },
    restart: RestartMode.ON_FAILURE,
    health: { http: { port: 8443, path: "/api/version", https: true }, intervalMs: 10_000, restarts: true },
    after: [{ runtime: "broker", condition: StartCondition.HEALTHY }],
  });
  const yaml = `
kind: Runtime
spec:
  name: press-1
  image: plc:4
  command: ["--log", debug]
  entrypoint: [/bin/plc]
  volumes: [{ name: recipes, path: /recipes, read_only: true }]
  tmpfs: [{ path: /tmp, size_bytes: 4096 }]
  ulimits: [{ name: memlock, soft: -1, hard: -1 }]
  capabilities: [NET_RAW]
  log: { file_bytes: 65536, files: 2 }
  resources: { cpu_weight: 200, cpuQuotaMillis: 500 }
  restart: on-failure
  health:
    http: { port: 8443, path: /api/version, https: true }
    interval_ms: 10000
    restarts: true
  after: [{ runtime: broker, condition: healthy }]
`;
  assert.ok(equals(RuntimeSpecSchema, await read(yaml), expected));
  // What another command prints with --json.
  assert.ok(
    equals(
      RuntimeSpecSchema,
      await read(JSON.stringify({ kind: "Runtime", spec: toJson(RuntimeSpecSchema, expected) })),
      expected,
    ),
  );
});

test("all that a file has wrong is told at once, by its path", async () => {
  const wrong = async (text: string) => {
    try {
      await read(text);
    } catch (thrown) {
      assert.ok(thrown instanceof Failure && thrown.kind === "invalid", String(thrown));
      return thrown.violations.map(({ field, message }) => `${field}: ${message}`);
    }
    return assert.fail("it was taken");
  };
  assert.deepEqual(await wrong("knd: Runtime\nmetadata: {}\n"), [
    "knd: is not known; did you mean kind?",
    "metadata: is not known; there are apiVersion, kind and spec",
    "kind: is required: Runtime or Agent",
    "spec: is required",
  ]);
  assert.deepEqual(await wrong("kind: runtime\nspec: {}\n"), [
    'kind: "runtime" is not known; did you mean Runtime?',
  ]);
  assert.deepEqual(await wrong("kind: Runtime\nspec: [1]\n"), [
    "spec: is a list; keys with values are needed",
  ]);
  const spec = `
  nmae: press-1
  image: 4
  profile: soft
  stopGraceMs: -1
  stop_grace_ms: 5
  env: { MODE: on }
  vnics:
    - { name: lan0, adress: 10.0.0.1/8, vlan_id: "10", host_access: yes please }`;
  assert.deepEqual(await wrong(`kind: Runtime\nspec:${spec}\n`), [
    "spec.nmae: is not known; did you mean name?",
    "spec.image: is 4; a text is needed: put it in quotes",
    'spec.profile: "soft" is not known; there are openplc, plain',
    "spec.stop_grace_ms: is -1; a whole number is needed",
    "spec.stop_grace_ms: is given twice, under two of its names",
    "spec.env: is a map; a list is needed",
    "spec.vnics[0].adress: is not known; did you mean address?",
    'spec.vnics[0].vlan_id: is "10"; a whole number is needed',
    'spec.vnics[0].host_access: is "yes please"; true or false is needed',
  ]);
});
