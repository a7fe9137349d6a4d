import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What an interface is, as `edge.v1.NetworkInterface.kind` says it. */
export type InterfaceKind =
  | "physical"
  | "wireless"
  | "bridge"
  | "bond"
  | "vlan"
  | "veth"
  | "macvlan"
  | "tun"
  | "other";

/** The alias of links that netmon made on the machine for vNICs: by it they are known as ours, whatever they are called. */
export const ownAlias = "orchestrator";

/** What must be known of every link of the machine to tell which are the machine's own. */
export interface LinkMarks {
  name: string;
  /** The kernel's index. */
  index: number;
  kind: InterfaceKind;
  isLoopback: boolean;
  /** Index of the bridge or bond whose port it is; 0 when it is none. */
  masterIndex: number;
  /** Whether it was made upon another link that is in this network namespace too, as a macvlan upon its parent. */
  hasParentHere: boolean;
  /** Whether a default route leaves through it. */
  carriesDefaultRoute: boolean;
  /** What was written on it, for people and programs; missing when nothing was. */
  alias?: string | undefined;
}

/**
 * The machine's own interfaces, ordered by name: what an operator plugs cables into and gives addresses to, and not what
 * the engine, a hypervisor or we made for guests. It goes by what a link is, never by its name:
 *
 * - what carries a default route is the machine's own, whatever it is (a machine may itself be somebody's container);
 * - a virtual link that is a port of a bridge is the end of a guest's cable;
 * - a bridge without a port of hardware (or a bond or VLAN) is a network of guests;
 * - a macvlan whose parent is here was made for a guest or a probe; one whose parent is elsewhere was given to this machine;
 * - what netmon made says so.
 */
export function ownInterfaces<T extends LinkMarks>(links: readonly T[]): T[] {
  const bridges = new Map(links.filter((link) => link.kind === "bridge").map((link) => [link.index, link]));
  const wired = new Set(links.filter(isOfHardware).map((link) => link.masterIndex));
  const isOwn = (link: T): boolean => {
    if (link.isLoopback || link.alias === ownAlias) return false;
    if (link.carriesDefaultRoute || isOfHardware(link)) return true;
    if (bridges.has(link.masterIndex)) return false;
    if (link.kind === "bridge") return wired.has(link.index);
    return link.kind !== "macvlan" || !link.hasParentHere;
  };
  return links.filter(isOwn).sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/**
 * The kind that the kernel's own word for a link's driver stands for (`info_kind` of `ip -details`, DEVTYPE of uevent), or
 * undefined for hardware, which has no such word.
 */
export function kindOfDriver(word: string | undefined): InterfaceKind | undefined {
  if (word === undefined || word === "") return undefined;
  return driverKinds[word] ?? "other";
}

/** What sysfs alone tells of a link's hardware. */
export interface LinkHardware {
  /** Whether a device of a bus is behind it. */
  hasDevice: boolean;
  isWireless: boolean;
  /** 0 when the driver does not tell, which is normal without a carrier. */
  speedMbps: number;
}

/**
 * Reads a link's hardware below `sysRoot` (`/sys`), or undefined when no link of this name and index is there: sysfs shows
 * the network namespace that it was mounted in, which need not be this program's.
 */
export function readHardware(sysRoot: string, name: string, index: number): LinkHardware | undefined {
  const folder = join(sysRoot, "class/net", name);
  if (readText(join(folder, "ifindex")) !== String(index)) return undefined;
  const speed = Number(readText(join(folder, "speed"))) || 0; // -1 or EINVAL without a carrier.
  return {
    hasDevice: existsSync(join(folder, "device")),
    isWireless: existsSync(join(folder, "wireless")) || existsSync(join(folder, "phy80211")),
    speedMbps: Math.max(speed, 0),
  };
}

/** A small file of the kernel without the space around it, or undefined when it is not there or has no answer now. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    // Gone since the folder was listed, or EINVAL: the kernel does not tell the carrier and speed of a link that is down.
    return undefined;
  }
}

const driverKinds: Readonly<Record<string, InterfaceKind>> = {
  bridge: "bridge",
  bond: "bond",
  vlan: "vlan",
  veth: "veth",
  macvlan: "macvlan",
  macvtap: "macvlan",
  tun: "tun",
  wlan: "wireless",
};

function isOfHardware({ kind }: LinkMarks): boolean {
  return kind === "physical" || kind === "wireless" || kind === "bond" || kind === "vlan";
}
