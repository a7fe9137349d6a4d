import { create } from "@bufbuild/protobuf";
import {
  type Device,
  DevicePhase,
  type DeviceStatus,
  DeviceStatusSchema,
} from "../../../gen/edge/v1/devices_pb.ts";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { type FieldViolation, invalidFields, refusedFields } from "../../base/failure.ts";
import { findDevice } from "../../wire/device-path.ts";
import { pathInside } from "../../wire/devices.ts";
import type { LanKnown } from "./vnics.ts";
import type { Wish } from "./wish.ts";

/** A runtime's devices as netmon tells them, in the order of the wish. What netmon does not tell has a reason why. */
export function devicesOf({ name, spec }: Wish, { netmon, unplugged }: LanKnown): DeviceStatus[] {
  const attached = netmon.at === "there" ? netmon.attached.get(name) : undefined;
  const [phase, reason] =
    netmon.at === "away"
      ? [DevicePhase.UNSPECIFIED, netmon.problem.message]
      : netmon.at === "unknown"
        ? [DevicePhase.UNSPECIFIED, "netmon has not been asked yet"]
        : unplugged
          ? [DevicePhase.REFUSED, `${unplugged.message}; it is tried again`]
          : [DevicePhase.UNSPECIFIED, "it is about to be plugged in"];
  return spec.devices.map((device) => {
    const told = attached?.devices.find((one) => one.nodePath === device.nodePath);
    const { nodePath } = device;
    return told ?? create(DeviceStatusSchema, { nodePath, path: pathInside(device), phase, reason });
  });
}

/**
 * Whether a spec's devices go with the node as it is, and with those of other runtimes. One that is not there is fine: it may
 * be plugged in later. What is plugged in then is looked at by netmon, too.
 * @throws {Failure} invalid: a path leads to what is no device. conflict: another runtime has it for itself.
 */
export function checkDevices(
  { name, devices }: Pick<RuntimeSpec, "name" | "devices">,
  others: readonly Pick<Wish, "name" | "spec">[],
  devFolder: string,
): void {
  const realOf = (nodePath: string) => {
    const found = findDevice(nodePath, devFolder);
    return found.is === "there" ? found.realPath : nodePath;
  };
  const wrong = devices.flatMap(({ nodePath }, index): FieldViolation[] => {
    const found = findDevice(nodePath, devFolder);
    const field = `spec.devices[${index}].node_path`;
    return found.is === "wrong" ? [{ field, message: `${nodePath} ${found.reason}` }] : [];
  });
  if (wrong.length > 0) throw invalidFields(wrong);
  const taken = others
    .filter((other) => other.name !== name)
    .flatMap(({ name: of, spec }) =>
      spec.devices.map((device) => ({ of, device, real: realOf(device.nodePath) })),
    );
  const violations = devices.flatMap((device, index) => {
    const real = realOf(device.nodePath);
    const other = taken.find((one) => isSame(one, { device, real }) && !(one.device.shared && device.shared));
    if (!other) return [];
    const same = other.device.nodePath === device.nodePath ? "" : `, as ${other.device.nodePath}`;
    const message = `${device.nodePath} is used by runtime ${other.of}${same}: say of both that it is shared, or choose another`;
    return [{ field: `spec.devices[${index}].node_path`, message }];
  });
  if (violations.length > 0) throw refusedFields("conflict", violations);
}

interface Named {
  readonly device: Device;
  readonly real: string;
}

/** By its name, whatever that means later, or by what it is now. */
function isSame(one: Named, other: Named): boolean {
  return one.device.nodePath === other.device.nodePath || one.real === other.real;
}
