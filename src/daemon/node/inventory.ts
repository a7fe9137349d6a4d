import { readFile, statfs } from "node:fs/promises";
import { cpus, hostname, machine, release, totalmem, uptime } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Inventory, InventorySchema } from "../../../gen/edge/v1/node_pb.ts";
import type { Roots } from "./roots.ts";

export interface InventoryOptions {
  roots: Roots;
  /** The folder of the daemon's state: its file system is the disk that is told. */
  stateFolder: string;
  /** Wall time in milliseconds. */
  now: () => number;
}

/**
 * What the machine is made of, from the files where the kernel and the distribution say it. Takes about a millisecond and
 * blocks nobody; see docs/decisions/0006-inventory-from-the-source.md. What is not told is empty.
 */
export async function readInventory({ roots, stateFolder, now }: InventoryOptions): Promise<Inventory> {
  const [system, model, disk] = await Promise.all([
    operatingSystem(roots.etc),
    systemModel(roots),
    // Nobody need ask for the inventory, so nobody may be there to hear of a failure.
    statfs(stateFolder).catch(() => undefined),
  ]);
  const processors = cpus();
  return create(InventorySchema, {
    hostName: hostname(),
    operatingSystem: system,
    kernel: release(),
    architecture: machine(),
    cpuModel: processors[0]?.model.trim() ?? "",
    cpuCount: processors.length,
    memoryBytes: BigInt(totalmem()),
    diskBytes: disk ? BigInt(disk.blocks) * BigInt(disk.bsize) : 0n,
    systemModel: model,
    bootedAt: timestampFromMs(Math.round(now() - uptime() * 1000)),
  });
}

/** https://www.freedesktop.org/software/systemd/man/latest/os-release.html */
async function operatingSystem(etc: string): Promise<string> {
  const text = await readFile(join(etc, "os-release"), "utf8").catch(() => "");
  const [, value = ""] = /^PRETTY_NAME=(.*)$/m.exec(text) ?? [];
  return value.replace(/^(["'])(.*)\1$/, "$2").replace(/\\(["'$`\\])/g, "$1");
}

/** Maker and model from DMI on PCs, from the device tree on boards. */
async function systemModel({ sys, proc }: Roots): Promise<string> {
  const read = (path: string) => readFile(path, "utf8").catch(() => "");
  const [maker, product, board] = await Promise.all([
    read(join(sys, "class/dmi/id/sys_vendor")),
    read(join(sys, "class/dmi/id/product_name")),
    read(join(proc, "device-tree/model")),
  ]);
  const told = [maker, product].map((text) => text.trim()).filter((text) => text !== "");
  return told.length > 0 ? told.join(" ") : board.replaceAll("\0", "").trim();
}
