import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import * as v from "valibot";
import { type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { checkSpec } from "../../../src/daemon/wishes/check.ts";
import { devicesSetting, isDeviceAllowed, usualDevices } from "../../../src/daemon/wishes/device-policy.ts";
import { gpuRequestsOf } from "../../../src/daemon/wishes/gpus.ts";
import { hashOf } from "../../../src/daemon/wishes/spec.ts";
import { type SpecInit, spec } from "../runtimes/life.ts";

test("serial ports by any name, buses and USB are usual; consoles, memory and disks are not", () => {
  const names = (list: string) => list.split(" ").map((name) => `/dev/${name}`);
  const usual = names(
    "ttyS0 ttyUSB12 ttyACM0 ttyAMA0 ttymxc3 ttyO1 ttySC0 ttyTHS1 serial/by-id/usb-FTDI_FT232R-if00-port0 " +
      "serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0 i2c-1 spidev0.0 gpiochip0 bus/usb/001/005",
  );
  const others = names(
    "tty tty0 tty63 ttyp0 console mem kmem port kmsg sda nvme0 nvme0n1 loop0 loop-control mapper/control fuse kvm " +
      "serial/by-id serial/by-id/a/b bus/usb/001 ttyS0/x i2c-1/../mem",
  );
  assert.deepEqual(
    usual.filter((one) => !isDeviceAllowed(one, usualDevices)),
    [],
  );
  assert.deepEqual(
    others.filter((one) => isDeviceAllowed(one, usualDevices)),
    [],
  );
  assert.ok(isDeviceAllowed("/dev/fuse", ["fu?e"]));
  assert.ok(!isDeviceAllowed("/dev/fuseX", ["fu?e"]));
});

test("the setting takes names below /dev, and nothing that is none", () => {
  const { schema } = devicesSetting({ default: usualDevices, doc: "" });
  assert.deepEqual(v.parse(schema, "ttyUSB*, fuse"), ["ttyUSB*", "fuse"]);
  assert.deepEqual(v.parse(schema, ""), []);
  assert.deepEqual(v.parse(schema, usualDevices), usualDevices);
  for (const wrong of ["/dev/ttyUSB0", "a//b", "tty[Z-A]*", "tty(S|USB)", "a b", "$x", "tty[S"]) {
    assert.ok(!v.safeParse(schema, wrong).success, wrong);
  }
});

const violations = (init: SpecInit): string[] => {
  try {
    checkSpec(spec("plc:1", { name: "plc1", ...init }));
    return [];
  } catch (thrown) {
    return (thrown as { violations: { field: string; message: string }[] }).violations.map(
      ({ field, message }) => `${field}: ${message}`,
    );
  }
};

test("paths in the container stay below /dev, beside one another, and off what the engine has there", () => {
  const node = "/dev/ttyUSB0";
  assert.deepEqual(
    violations({ devices: [{ nodePath: node }, { nodePath: "/dev/ttyS0", path: "/dev/a/b" }] }),
    [],
  );
  const wrong = (...devices: NonNullable<SpecInit["devices"]>) => violations({ devices }).join();
  assert.match(wrong({ nodePath: "/etc/shadow" }), /spec\.devices\[0\]\.node_path: .*a path below \/dev/);
  assert.match(wrong({ nodePath: "/dev/../etc/shadow" }), /has a part \. or \.\./);
  assert.match(
    wrong({ nodePath: node, path: "/dev/x/../../etc/passwd" }),
    /devices\[0\]\.path: .* has a part/,
  );
  for (const path of ["/dev/null", "/dev/pts/0", "/dev/shm/x", "/dev/console", "/dev/mqueue"]) {
    assert.match(wrong({ nodePath: node, path }), /is the engine's own in a container/);
  }
  assert.match(wrong({ nodePath: node, path: "/etc/passwd" }), /a path below \/dev/);
  assert.match(wrong({ nodePath: node }, { nodePath: "/dev/ttyS0", path: node }), /does not go with/);
  assert.match(wrong({ nodePath: node }, { nodePath: "/dev/ttyS0", path: `${node}/x` }), /does not go with/);
  assert.match(wrong({ nodePath: node }, { nodePath: node, path: "/dev/b" }), /spec\.devices/);
});

test("GPUs are asked for by number or by name, and not by both", () => {
  const of = (gpus: NonNullable<SpecInit["gpus"]>): RuntimeSpec =>
    create(RuntimeSpecSchema, { name: "plc1", image: "plc:1", gpus });
  const asked = (gpus: NonNullable<SpecInit["gpus"]>) => gpuRequestsOf(of(gpus)).DeviceRequests;
  assert.deepEqual(gpuRequestsOf(create(RuntimeSpecSchema)), {});
  assert.deepEqual(asked({}), [{ Count: -1, Capabilities: [["gpu"]] }]);
  assert.deepEqual(asked({ count: 2, capabilities: ["compute"] }), [
    { Count: 2, Capabilities: [["gpu", "compute"]] },
  ]);
  assert.deepEqual(asked({ ids: ["0", "GPU-1"] }), [{ DeviceIDs: ["0", "GPU-1"], Capabilities: [["gpu"]] }]);
  assert.match(violations({ gpus: { count: 1, ids: ["0"] } }).join(), /spec\.gpus\.count: does not go with/);
  assert.match(violations({ gpus: { ids: ["0", "0"] } }).join(), /ids\[1\]: "0" is already/);
  assert.equal(hashOf(of({ ids: ["b", "a"] })), hashOf(of({ ids: ["a", "b"] })));
  const device = (path: string) =>
    hashOf(
      create(RuntimeSpecSchema, { name: "a", image: "a:1", devices: [{ nodePath: "/dev/ttyS0", path }] }),
    );
  assert.equal(device(""), device("/dev/ttyS0"));
});
