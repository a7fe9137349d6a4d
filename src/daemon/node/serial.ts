import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { create } from "@bufbuild/protobuf";
import {
  type ListSerialDevicesResponse,
  ListSerialDevicesResponseSchema,
  type SerialDevice,
  SerialDeviceSchema,
} from "../../../gen/edge/v1/node_pb.ts";
import { systemCode } from "../../base/system-code.ts";
import type { Roots } from "./roots.ts";

/**
 * The serial ports of the machine, ordered by path. A port is a tty with a device behind it, whatever its major number and
 * name: consoles and pseudo terminals have none. The four or more `ttyS` that a PC kernel always shows are left out where
 * no UART answered.
 */
export async function readSerialDevices(roots: Roots): Promise<ListSerialDevicesResponse> {
  const [byId, byPath] = await Promise.all([
    linksTo(join(roots.dev, "serial/by-id")),
    linksTo(join(roots.dev, "serial/by-path")),
  ]);
  const names = await readdir(join(roots.sys, "class/tty")).catch(ifMissing<string[]>([]));
  const found = await Promise.all(names.map((name) => readPort(roots, name)));
  const devices = found
    .filter((one) => one !== undefined)
    .map((port) => ({ ...port, byId: byId.get(port.path) ?? "", byPath: byPath.get(port.path) ?? "" }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  return create(ListSerialDevicesResponseSchema, { devices });
}

async function readPort({ sys, dev }: Roots, name: string): Promise<SerialDevice | undefined> {
  const folder = join(sys, "class/tty", name);
  const [device, uartType, number, uevent] = await Promise.all([
    realpath(join(folder, "device")).catch(() => undefined),
    text(join(folder, "type")),
    text(join(folder, "dev")),
    text(join(folder, "uevent")),
  ]);
  if (device === undefined || uartType === noUart || number === undefined) return undefined;
  // The device manager may have given the node another name than the kernel's.
  const path = join(dev, /^DEVNAME=(.*)$/m.exec(uevent ?? "")?.[1] ?? name);
  if (!(await exists(path))) return undefined;
  const port = await hardwarePort(sys, device);
  return create(SerialDeviceSchema, {
    path,
    driver: (await driverOf(port)) ?? "",
    usbId: (await usbIdOf(sys, port)) ?? "",
    deviceNumber: number,
  });
}

/** PORT_UNKNOWN of the kernel's <linux/serial_core.h>: the driver probed and nobody answered. */
const noUart = "0";

/**
 * Since Linux 6.5 a UART's tty hangs below two devices of the serial core (`<device>/<device>:0/<device>:0.0`), which say
 * nothing about the hardware. The device above them does.
 */
async function hardwarePort(sys: string, device: string): Promise<string> {
  const top = await realpath(sys).catch(() => sys);
  for (let at = device; at.startsWith(`${top}/`); at = resolve(at, "..")) {
    if (!(await isSerialCore(at))) return at;
  }
  return device;
}

async function isSerialCore(device: string): Promise<boolean> {
  const bus = await readlink(join(device, "subsystem")).catch(() => "");
  return basename(bus) === "serial-base";
}

async function driverOf(device: string): Promise<string | undefined> {
  const link = await readlink(join(device, "driver")).catch(() => undefined);
  return link && basename(link);
}

/** The ids stand at the USB device, which is one or two above the port: at the first that has them, going up. */
async function usbIdOf(sys: string, device: string): Promise<string | undefined> {
  const top = await realpath(sys).catch(() => sys);
  for (let at = device; at.startsWith(`${top}/`); at = resolve(at, "..")) {
    const [vendor, product] = await Promise.all([text(join(at, "idVendor")), text(join(at, "idProduct"))]);
    if (vendor !== undefined && product !== undefined) return `${vendor}:${product}`;
  }
  return undefined;
}

/** The links of a folder by what they lead to. Of several to one device the first by name. */
async function linksTo(folder: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch(ifMissing<string[]>([])); // No udev, or no such device: no folder.
  const found = new Map<string, string>();
  for (const name of names.sort()) {
    const target = await readlink(join(folder, name)).catch(() => undefined);
    if (target === undefined) continue;
    const device = resolve(folder, target);
    if (!found.has(device)) found.set(device, join(folder, name));
  }
  return found;
}

async function text(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").then(
    (content) => content.trim(),
    () => undefined, // Not every tty has every file, and an adapter may be unplugged meanwhile.
  );
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function ifMissing<T>(instead: T): (thrown: unknown) => T {
  return (thrown) => {
    if (systemCode(thrown) === "ENOENT") return instead;
    throw thrown;
  };
}
