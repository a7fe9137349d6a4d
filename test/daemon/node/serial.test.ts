import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { machineRoots } from "../../../src/daemon/node/index.ts";
import { readSerialDevices } from "../../../src/daemon/node/serial.ts";
import { tempFolder } from "../../fixtures/folder.ts";

/** A machine with serial ports, in the layout of sysfs and of udev's /dev, below a folder. */
function machineBelow(folder: string) {
  const write = (path: string, text = "") => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const link = (path: string, target: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(target.startsWith("../") ? target : join(folder, target), join(folder, path));
  };
  const tty = (name: string, device: string | undefined, files: Record<string, string>) => {
    for (const [file, text] of Object.entries(files)) write(`sys/class/tty/${name}/${file}`, `${text}\n`);
    if (device !== undefined) link(`sys/class/tty/${name}/device`, device);
    write(`dev/${name}`);
  };

  // Two USB adapters of one make without serial numbers: by-id has one name for both.
  for (const number of ["1", "2"]) {
    const usb = `sys/devices/pci0000:00/usb1/1-${number}`;
    write(`${usb}/idVendor`, "0403\n");
    write(`${usb}/idProduct`, "6001\n");
    write(`${usb}/1-${number}:1.0/ttyUSB${number}/port_number`, "0\n");
    link(`${usb}/1-${number}:1.0/ttyUSB${number}/driver`, "sys/bus/usb-serial/drivers/ftdi_sio");
    tty(`ttyUSB${number}`, `${usb}/1-${number}:1.0/ttyUSB${number}`, {
      dev: `188:${number}`,
      uevent: "MAJOR=188",
    });
    link(`dev/serial/by-path/pci-0000:00-usb-0:${number}:1.0-port0`, `../../ttyUSB${number}`);
  }
  link("dev/serial/by-id/usb-FTDI_FT232R-if00-port0", "../../ttyUSB2");
  // A UART of the board, which Linux 6.5 and later puts below two devices of the serial core.
  const uart = "sys/devices/platform/serial8250";
  write(`${uart}/serial8250:0/serial8250:0.0/dev_id`);
  link(`${uart}/driver`, "sys/bus/platform/drivers/serial8250");
  link(`${uart}/serial8250:0/subsystem`, "sys/bus/serial-base");
  link(`${uart}/serial8250:0/serial8250:0.0/subsystem`, "sys/bus/serial-base");
  tty("ttyS0", `${uart}/serial8250:0/serial8250:0.0`, { dev: "4:64", type: "4", uevent: "DEVNAME=ttyS0" });
  // Not ports: a UART that nobody answered from, a console, a port whose node is not there.
  tty("ttyS1", `${uart}/serial8250:0/serial8250:0.0`, { dev: "4:65", type: "0" });
  tty("tty0", undefined, { dev: "4:0" });
  tty("ttyUSB9", `${uart}/serial8250:0`, { dev: "188:9" });
  rmSync(join(folder, "dev/ttyUSB9"));
  // The device manager's name for the node, in a folder.
  tty("ttyX1", uart, { dev: "204:1", uevent: "MAJOR=204\nDEVNAME=board/plc-bus" });
  write("dev/board/plc-bus");
  return {
    proc: join(folder, "proc"),
    sys: join(folder, "sys"),
    dev: join(folder, "dev"),
    etc: join(folder, "etc"),
  };
}

test("serial ports have their stable names, driver, ids and number; what is no port is left out", async () => {
  using folder = tempFolder();
  const roots = machineBelow(folder.path);
  const { devices } = await readSerialDevices(roots);
  const dev = (path: string) => join(roots.dev, path);
  const port = { $typeName: "edge.v1.SerialDevice", byId: "", byPath: "", driver: "serial8250", usbId: "" };
  const adapter = { ...port, driver: "ftdi_sio", usbId: "0403:6001" };
  assert.deepEqual(devices, [
    { ...port, path: dev("board/plc-bus"), deviceNumber: "204:1" },
    { ...port, path: dev("ttyS0"), deviceNumber: "4:64" },
    {
      ...{ ...adapter, path: dev("ttyUSB1"), deviceNumber: "188:1" },
      byPath: dev("serial/by-path/pci-0000:00-usb-0:1:1.0-port0"),
    },
    {
      ...{ ...adapter, path: dev("ttyUSB2"), deviceNumber: "188:2" },
      byId: dev("serial/by-id/usb-FTDI_FT232R-if00-port0"),
      byPath: dev("serial/by-path/pci-0000:00-usb-0:2:1.0-port0"),
    },
  ]);
});

test("a machine without ttys has no serial ports, and this machine's consoles are none", async () => {
  using folder = tempFolder();
  const nothing = { proc: folder.path, sys: folder.path, dev: folder.path, etc: folder.path };
  assert.deepEqual((await readSerialDevices(nothing)).devices, []);
  const { devices } = await readSerialDevices(machineRoots);
  for (const { path, deviceNumber } of devices) {
    assert.doesNotMatch(path, /^\/dev\/(tty\d*|console|ptmx|pts\/.*)$/);
    assert.match(deviceNumber, /^\d+:\d+$/);
  }
});
