import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { DevicePhase } from "../../gen/edge/v1/devices_pb.ts";
import { RuntimeSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { type DeviceFlags, fromDeviceFlags, withDeviceFlags } from "../../src/cli/device-flag.ts";
import { deviceRows } from "../../src/cli/device-tell.ts";

/** What flags come to; the complaint when they are wrong. */
function given(...args: string[]) {
  const silent = { writeErr: () => {}, writeOut: () => {} };
  const command = withDeviceFlags(new Command()).exitOverride().configureOutput(silent);
  try {
    return fromDeviceFlags(command.parse(args, { from: "user" }).opts<DeviceFlags>());
  } catch (thrown) {
    return String(thrown);
  }
}

test("a device is a path of the node, and where and how the program has it", () => {
  const byPath = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0";
  const plain = { path: "", readOnly: false, shared: false };
  for (const [text, device] of [
    ["/dev/ttyUSB0", { ...plain, nodePath: "/dev/ttyUSB0" }],
    [byPath, { ...plain, nodePath: byPath }],
    [`${byPath}:/dev/ttyPLC`, { ...plain, nodePath: byPath, path: "/dev/ttyPLC" }],
    ["/dev/i2c-1:ro", { ...plain, nodePath: "/dev/i2c-1", readOnly: true }],
    ["/dev/i2c-1:/dev/bus,shared", { ...plain, nodePath: "/dev/i2c-1", path: "/dev/bus", shared: true }],
    ["/dev/a:/dev/b:ro,shared", { nodePath: "/dev/a", path: "/dev/b", readOnly: true, shared: true }],
  ] as const) {
    assert.deepEqual(given("--device", text), { devices: [device] }, text);
  }
  assert.match(String(given("--device", "ttyUSB0")), /it must be a path below \/dev, as in \/dev\/ttyUSB0/);
  assert.match(String(given("--device", "/etc/shadow")), /it must be a path below \/dev/);
});

test("GPUs are all, so many, or these", () => {
  const gpus = (text: string) => {
    const flags = given("--gpus", text);
    return typeof flags === "string" ? flags : flags.gpus;
  };
  assert.deepEqual(gpus("all"), {});
  assert.deepEqual(gpus("2"), { count: 2 });
  assert.deepEqual(gpus("GPU-3a23c669,GPU-1"), { ids: ["GPU-3a23c669", "GPU-1"] });
  assert.match(String(gpus(",")), /it must be all, how many, or their ids/);
});

test("a runtime tells of each device where it is, and why not", () => {
  const nodePath = "/dev/ttyUSB0";
  const rows = (phase: DevicePhase, more: object) =>
    deviceRows(
      create(RuntimeSchema, {
        spec: { devices: [{ nodePath, path: "/dev/ttyPLC", shared: true }], gpus: { count: 2 } },
        devices: [{ nodePath, path: "/dev/ttyPLC", phase, ...more }],
      }),
    );
  const there = { realPath: nodePath, number: "c 188:0" };
  assert.deepEqual(rows(DevicePhase.PRESENT, there), [
    ["devices", "/dev/ttyUSB0 (as /dev/ttyPLC, shared): present, /dev/ttyUSB0 (c 188:0)"],
    ["gpus", "2"],
  ]);
  const [[, refused] = []] = rows(DevicePhase.REFUSED, { reason: "/dev/ttyUSB0 is used by runtime a" });
  assert.match(refused ?? "", /: refused; \/dev\/ttyUSB0 is used by runtime a$/);
  assert.deepEqual(deviceRows(create(RuntimeSchema)), []);
});
