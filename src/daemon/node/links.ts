import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  type InterfaceKind,
  kindOfDriver,
  type LinkHardware,
  type LinkMarks,
  ownInterfaces,
  readHardware,
  readText,
} from "../../wire/interfaces.ts";
import { readGateways } from "./gateways.ts";
import type { Roots } from "./roots.ts";

/** A link as sysfs shows it. */
export interface Link extends LinkMarks {
  mac: string;
  mtu: number;
  operstate: string;
  carrier: boolean;
  speedMbps: number;
  gateways: string[];
}

/** The machine's own interfaces, ordered by name. A link that goes away meanwhile is left out. */
export function readOwnLinks(roots: Roots): Link[] {
  const gateways = readGateways(roots.proc);
  const names = readdirSync(join(roots.sys, "class/net"));
  return ownInterfaces(names.flatMap((name) => readLink(roots.sys, name, gateways.get(name)) ?? []));
}

/**
 * Names of the interfaces whose bytes are the machine's traffic with the outside. Bridges, bonds, VLANs and tunnels are not
 * among them: their bytes pass through one that is, and would count twice.
 */
export function trafficInterfaces(roots: Roots): ReadonlySet<string> {
  const counted = new Set<InterfaceKind>(["physical", "wireless", "veth", "macvlan"]);
  return new Set(
    readOwnLinks(roots)
      .filter(({ kind }) => counted.has(kind))
      .map(({ name }) => name),
  );
}

function readLink(sys: string, name: string, routes: Link["gateways"] | undefined): Link | undefined {
  const folder = join(sys, "class/net", name);
  const read = (file: string) => readText(join(folder, file));
  // Not everything there is a link: the bonding driver keeps a file beside them.
  const index = Number(read("ifindex") ?? 0);
  const hardware = readHardware(sys, name, index);
  if (index === 0 || !hardware) return undefined;
  const hasParentHere = list(folder).some((entry) => entry.startsWith("lower_"));
  return {
    name,
    index,
    kind: kindOf(folder, { index, hardware, hasParentHere }),
    isLoopback: (Number(read("flags") ?? 0) & loopbackFlag) !== 0,
    masterIndex: Number(read("master/ifindex") ?? 0),
    hasParentHere,
    carriesDefaultRoute: routes !== undefined,
    alias: read("ifalias"),
    mac: read("address") ?? "",
    mtu: Number(read("mtu") ?? 0),
    operstate: read("operstate") ?? "unknown",
    carrier: read("carrier") === "1",
    speedMbps: hardware.speedMbps,
    gateways: routes ?? [],
  };
}

interface Looked {
  index: number;
  hardware: LinkHardware;
  hasParentHere: boolean;
}

function kindOf(folder: string, { index, hardware, hasParentHere }: Looked): InterfaceKind {
  if (hardware.isWireless) return "wireless";
  const driver = kindOfDriver(/^DEVTYPE=(.*)$/m.exec(readText(join(folder, "uevent")) ?? "")?.[1]);
  if (driver !== undefined && driver !== "other") return driver;
  if (existsSync(join(folder, "tun_flags"))) return "tun";
  if (hardware.hasDevice) return "physical";
  if (driver !== undefined) return driver;
  if (!pointsElsewhere(folder, index)) return "other";
  return hasParentHere ? "macvlan" : "veth";
}

/**
 * Sysfs has no word for a macvlan and a veth. What it has: an Ethernet link without a device that points at another link,
 * which it stands upon here (a macvlan), or which is somewhere else (the far end of a veth, and the parent of a macvlan that
 * was moved here, which cannot be told apart). One whose other end has the same index in another namespace is `other`.
 */
function pointsElsewhere(folder: string, index: number): boolean {
  const isEthernet = readText(join(folder, "type")) === ethernetType;
  return isEthernet && readText(join(folder, "iflink")) !== String(index);
}

/** IFF_LOOPBACK and ARPHRD_ETHER of the kernel's <linux/if.h> and <linux/if_arp.h>. */
const loopbackFlag = 0x8;
const ethernetType = "1";

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // The link went away.
  }
}
