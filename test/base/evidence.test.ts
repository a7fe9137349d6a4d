import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DeviceSchema } from "../../gen/edge/v1/devices_pb.ts";
import { harmless } from "../../src/base/evidence.ts";
import { wrongDevices } from "../../src/wire/devices.ts";

test("a name is shown as it is, unless something in it could steer a terminal", () => {
  assert.equal(harmless("/dev/ttyUSB0"), "/dev/ttyUSB0");
  assert.equal(harmless("a\nb\u009bm"), '"a\\nb\\u009bm"');
  const twice = [create(DeviceSchema, { path: "a\nb" }), create(DeviceSchema, { path: "a\nb" })];
  assert.deepEqual(wrongDevices(twice, "spec.devices"), [
    { field: "spec.devices[1].path", message: '"a\\nb" does not go with "a\\nb" of spec.devices[0]' },
  ]);
});
