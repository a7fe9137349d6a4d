import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { refusedFields } from "../../base/failure.ts";
import { list } from "../../base/setting-kinds.ts";
import type { Setting } from "../../base/settings.ts";

/**
 * What a spec may name when the node's owner said nothing: serial ports by any name and of any major number, the stable names of
 * USB adapters, and the buses on which field devices hang. Consoles of the node, its memory and its disks are not among them.
 */
export const usualDevices: readonly string[] = [
  ...["tty[A-Z]*", "ttymxc*", "serial/by-id/*", "serial/by-path/*"],
  ...["i2c-*", "spidev*", "gpiochip*", "bus/usb/*/*"],
];

/** Names below /dev; `*` and `?` stand for what is no `/`, and `[A-Z]` for one of these. */
const pattern =
  /^(?:[A-Za-z0-9_.:,+@=*?-]|\[[A-Za-z0-9-]+\])+(?:\/(?:[A-Za-z0-9_.:,+@=*?-]|\[[A-Za-z0-9-]+\])+)*$/;

/** `policy.devices` */
export function devicesSetting(of: { default: readonly string[]; doc: string }): Setting<readonly string[]> {
  return list({
    ...of,
    isItem: (one) => one.length <= 255 && pattern.test(one) && expressionOf(one) !== undefined,
    ...{ most: 64, isNoneAllowed: true },
    allowed: "a list of names below /dev, as in ttyUSB* or serial/by-id/*",
  });
}

/** Whether a path of the node is on the list. */
export function isDeviceAllowed(nodePath: string, allowed: readonly string[]): boolean {
  const name = nodePath.replace(/^\/dev\//, "");
  return allowed.some((one) => expressionOf(one)?.test(name));
}

/** @throws {Failure} denied: what the node's owner does not allow. */
export function checkDevicesAllowed({ devices }: RuntimeSpec, allowed: readonly string[]): void {
  const list = allowed.length === 0 ? "none" : allowed.join(", ");
  const violations = devices.flatMap(({ nodePath }, index) => {
    if (isDeviceAllowed(nodePath, allowed)) return [];
    const message = `${nodePath} is not allowed on this node, whose setting policy.devices allows ${list}`;
    return [{ field: `spec.devices[${index}].node_path`, message }];
  });
  if (violations.length > 0) throw refusedFields("denied", violations);
}

function expressionOf(one: string): RegExp | undefined {
  const source = one.replaceAll(/[.+]/g, "\\$&").replaceAll("*", "[^/]*").replaceAll("?", "[^/]");
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return undefined; // A range that ends before it begins.
  }
}
