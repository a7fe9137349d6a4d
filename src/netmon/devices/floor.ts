import type { DeviceNumber } from "../../wire/device-path.ts";

/** Character devices by which memory, disks or another container could be reached, by major number; of all minors where none is named. */
const doors: readonly { major: number; minors?: readonly number[]; why: string }[] = [
  { major: 1, minors: [1, 2, 4], why: "it is the memory of the node" },
  { major: 1, minors: [11], why: "it is the log of the node's kernel" },
  { major: 5, minors: [1], why: "it is the console of the node" },
  { major: 21, why: "it is a door to the disks of the node" },
  { major: 10, minors: [236, 237], why: "it is a door to the disks of the node" },
];

/** Those whose numbers are given out anew at each boot. */
const diskNames = /^\/dev\/(nvme|ng\d|sg\d|mtd|ubi|btrfs-control$|bsg\/)/;

/** Slaves of devpts: Unix98 pseudo-terminals. */
const terminals = { first: 136, last: 143 };

/**
 * Why a device is never given to a container, whoever asks and whatever the node's policy says; else undefined. The policy is the
 * daemon's to keep, and was asked about the name; this is about what the name leads to now.
 */
export function whyNever({ kind, major, minor }: DeviceNumber, realPath: string): string | undefined {
  if (kind === "b") return "it is a disk, or another device of blocks";
  if (diskNames.test(realPath)) return "it is a door to the disks of the node";
  if (major >= terminals.first && major <= terminals.last) {
    return "it is a pseudo-terminal, which the kernel opens nowhere but in /dev/pts of the node";
  }
  return doors.find((one) => one.major === major && (one.minors?.includes(minor) ?? true))?.why;
}
