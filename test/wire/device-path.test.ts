import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { findDevice, numberOf, numberText } from "../../src/wire/device-path.ts";
import { ownDev } from "../fixtures/dev.ts";

test("a path is followed link by link to a device, and tells which folders decide about it", () => {
  using dev = ownDev();
  dev.node("ttyUSB1", "c 188:1");
  dev.node("bus/usb/001/300", "c 189:1299");
  dev.link("serial/by-id/usb-A", "../../ttyUSB1");
  dev.link("modem", "/dev/serial/by-id/usb-A");
  dev.link("bus/first", "./usb/../usb/001");
  const found = (path: string) => {
    const { folders, ...one } = findDevice(path, dev.path);
    return { ...one, folders: folders.map((folder) => folder.slice(dev.path.length)) };
  };
  const usb = { is: "there", realPath: "/dev/ttyUSB1", number: { kind: "c", major: 188, minor: 1 } };
  const byId = ["", "/serial", "/serial/by-id"];
  assert.deepEqual(found("/dev/serial/by-id/usb-A"), { ...usb, folders: byId });
  assert.deepEqual(found("/dev/modem"), { ...usb, folders: byId });
  const { realPath, number } = { realPath: "", number: usb.number, ...found("/dev/bus/first/300") };
  assert.deepEqual([realPath, numberText({ ...number, kind: "c" })], ["/dev/bus/usb/001/300", "c 189:1299"]);
  assert.deepEqual(found("/dev/serial/by-path/x"), { is: "absent", folders: ["", "/serial"] });
  dev.remove("ttyUSB1");
  assert.deepEqual(found("/dev/modem"), { is: "absent", folders: byId });
});

test("what is no device, or does not stay below /dev, is told with the reason", () => {
  using dev = ownDev();
  dev.link("a", "/etc/shadow");
  dev.link("b", "../etc/shadow");
  dev.link("c", "c");
  dev.link("d", "/dev");
  dev.link("e", "/dev/../etc/shadow");
  dev.link("f", "/devil");
  dev.link("g", "file/tty");
  dev.link("h", "folder");
  writeFileSync(dev.at("file"), "");
  dev.link("folder/x", "nowhere");
  const reason = (name: string) => {
    const found = findDevice(`/dev/${name}`, dev.path);
    return found.is === "wrong" ? found.reason : found.is;
  };
  const out = (target: string) => `leads to ${target}, which is not below /dev`;
  assert.deepEqual(["a", "b", "d", "e", "f"].map(reason), [
    out("/etc/shadow"),
    out("/"),
    out("/dev"),
    out("/"),
    out("/devil"),
  ]);
  assert.equal(reason("c"), "leads in a circle");
  assert.equal(reason("file"), "leads to /dev/file, which is no device");
  assert.equal(reason("g"), "leads through /dev/file, which is no folder");
  assert.equal(reason("h"), "leads to a folder");
  assert.equal(reason("h/x"), "absent");
});

test("the two halves of a number are read as the kernel packs them", () => {
  assert.deepEqual(numberOf(0x0a_e5n), { major: 10, minor: 229 });
  assert.deepEqual(numberOf(0xff_ff_ff_ffn), { major: 4095, minor: 1_048_575 });
  assert.deepEqual(numberOf(0x1000_1113_8870n), { major: 5000, minor: 70_000 });
});
