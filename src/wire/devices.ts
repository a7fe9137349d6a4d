import type { Device } from "../../gen/edge/v1/devices_pb.ts";
import { evidence, harmless } from "../base/evidence.ts";
import type { FieldViolation } from "../base/failure.ts";

/** Where a device is in the container. */
export function pathInside({ nodePath, path }: Pick<Device, "nodePath" | "path">): string {
  return path || nodePath;
}

/**
 * What the rules of the contract cannot say of the devices of one runtime. `path` is where they stand, as in `spec.devices`.
 * A field that breaks a rule of its own is left to that rule.
 */
export function wrongDevices(devices: readonly Device[], path: string): FieldViolation[] {
  return devices.flatMap((device, index) => {
    const inside = pathInside(device);
    const field = `${path}[${index}].${device.path === "" ? "node_path" : "path"}`;
    const found: FieldViolation[] = [];
    for (const [key, value] of [["node_path", device.nodePath] as const, ["path", device.path] as const]) {
      if (/(^|\/)\.{1,2}(\/|$)/.test(value)) {
        found.push({ field: `${path}[${index}].${key}`, message: `${evidence(value)} has a part . or ..` });
      }
    }
    if (isEngines(inside)) {
      found.push({
        field,
        message: `${harmless(inside)} is the engine's own in a container: choose another path`,
      });
    }
    const other = devices.findIndex((one) => overlap(pathInside(one), inside));
    if (other < index && other >= 0) {
      const taken = harmless(pathInside(devices[other] ?? device));
      const message = `${harmless(inside)} does not go with ${taken} of ${path}[${other}]`;
      found.push({ field, message });
    }
    return found;
  });
}

/** One is the other, or a folder of it. */
function overlap(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}

/** What every engine puts into a container's /dev. */
function isEngines(path: string): boolean {
  const [, top = ""] = /^\/dev\/([^/]+)/.exec(path) ?? [];
  return engines.has(top);
}

const engines: ReadonlySet<string> = new Set([
  ...["null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue"],
  ...["fd", "stdin", "stdout", "stderr", "core"],
]);
