import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { GetMetricsRequestSchema } from "../../gen/edge/v1/node_pb.ts";
import { CreateRuntimeRequestSchema, type RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { Failure } from "../../src/base/failure.ts";
import { validate, violationsOf } from "../../src/wire/validation.ts";

const good = { name: "plc1", image: "ghcr.io/autonomy-logic/openplc-runtime:v4.0" };

function violations(spec: MessageInitShape<typeof RuntimeSpecSchema>) {
  const request = create(CreateRuntimeRequestSchema, { spec: { ...good, ...spec } });
  return violationsOf(CreateRuntimeRequestSchema, request).map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

test("a good request has no violations", () => {
  assert.deepEqual(violations({}), []);
  assert.deepEqual(violations({ image: `registry.plant:5000/a/b_c@sha256:${"0f".repeat(32)}` }), []);
  assert.deepEqual(
    violations({ image: "busybox", resources: { memoryBytes: 6_291_456n, cpuset: "0-1,3" } }),
    [],
  );
});

test("a time that JSON cannot tell is refused, wherever it stands", () => {
  const asked = (since: { seconds: bigint; nanos?: number }) =>
    violationsOf(GetMetricsRequestSchema, create(GetMetricsRequestSchema, { since }));
  assert.deepEqual(asked({ seconds: 253_402_300_799n, nanos: 999_999_999 }), []);
  for (const since of [
    { seconds: 253_402_300_800n },
    { seconds: -62_135_596_801n },
    { seconds: 0n, nanos: -1 },
  ]) {
    assert.deepEqual(asked(since), [
      { field: "since", message: "is not a time between the years 1 and 9999" },
    ]);
  }
});

test("a missing spec is named", () => {
  const request = create(CreateRuntimeRequestSchema);
  assert.deepEqual(violationsOf(CreateRuntimeRequestSchema, request), [
    { field: "spec", message: "is required" },
  ]);
});

const dnsLabel =
  "must be 1 to 63 lower-case letters, digits or '-', beginning and ending with a letter or digit";
for (const [what, name, shown] of [
  ["with a space", "my plc", '"my plc"'],
  ["with a slash", "a/b", '"a/b"'],
  ["with a newline at its end", "plc1\n", '"plc1\\n"'],
  ["not ASCII", "plc-ä", '"plc-ä"'],
  ["in capitals", "PLC", '"PLC"'],
  ["of 300 characters", "a".repeat(300), `"${"a".repeat(40)}..."`],
  ["with a terminal's escape", "\u001b[31m", '"\\u001b[31m"'],
] as const) {
  test(`a name ${what} is refused and shown`, () => {
    assert.deepEqual(violations({ name }), [`spec.name: ${shown} ${dnsLabel}`]);
  });
}

for (const image of [
  "UPPER/case",
  "busybox::1",
  "busybox:",
  "a b",
  "http://x/y",
  "busybox@sha256:12",
  "-x",
  "a//b",
]) {
  test(`the image reference ${image} is refused`, () => {
    assert.match(violations({ image }).join(), /^spec\.image: ".*" must be an image reference such as/);
  });
}

test("an image that is not given is required, not misspelt", () => {
  assert.deepEqual(violations({ image: "" }), ["spec.image: is required"]);
});

test("memory below the engine's minimum, negative or absurd is refused with the range", () => {
  for (const memoryBytes of [-1n, 1n, 10n ** 18n]) {
    assert.deepEqual(violations({ resources: { memoryBytes } }), [
      `spec.resources.memory_bytes: is ${memoryBytes}; 6291456 to 1125899906842624 is allowed`,
    ]);
  }
});

test("a port over 65535 and a missing one are refused", () => {
  assert.deepEqual(violations({ ports: [{ nodePort: 65_536, runtimePort: 0 }] }), [
    "spec.ports[0].node_port: is 65536; 1 to 65535 is allowed",
    "spec.ports[0].runtime_port: is required",
  ]);
});

test("a duplicate env name is refused, with both places", () => {
  assert.deepEqual(violations({ env: [{ name: "A" }, { name: "B" }, { name: "A", value: "2" }] }), [
    'spec.env[2].name: "A" is already that of spec.env[0]; each must be different',
  ]);
});

test("all violations are reported at once, in the order of the fields", () => {
  const request = create(CreateRuntimeRequestSchema, {
    spec: { name: "", image: "X", env: [{ name: "1A" }], stopGraceMs: 900_000 },
  });
  assert.throws(
    () => validate(CreateRuntimeRequestSchema, request),
    (thrown) => {
      assert.ok(thrown instanceof Failure);
      assert.equal(thrown.kind, "invalid");
      assert.deepEqual(
        thrown.violations.map((one) => one.field),
        ["spec.name", "spec.image", "spec.env[0].name", "spec.stop_grace_ms"],
      );
      return true;
    },
  );
});

test("a list that is too long is refused as a whole, not item by item", () => {
  const env = Array.from({ length: 201 }, () => ({ name: "1" }));
  assert.deepEqual(violations({ env }), ["spec.env: has 201 items; at most 200 are allowed"]);
});

test("a length is counted in bytes", () => {
  assert.deepEqual(violations({ labels: [{ key: "k", value: "ä".repeat(128) }] }), [
    "spec.labels[0].value: is 256 bytes long; at most 255 are allowed",
  ]);
});
