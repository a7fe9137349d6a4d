import {
  type InterfaceKind,
  kindOfDriver,
  type LinkMarks,
  ownInterfaces,
  readHardware,
} from "../wire/interfaces.ts";
import { readNameServers } from "./dns.ts";
import { askDefaultRoutes, askLinks, type IpLink, type IpRoute } from "./ip.ts";
import type { Interface, Seen } from "./state.ts";

/** Where the machine shows what ip(8) does not tell. Arguments, so that a test can bring its own. */
export interface Roots {
  /** Usually `/sys`. */
  sys: string;
  /** Usually `/etc`. */
  etc: string;
  /** Usually `/run`. */
  run: string;
}

export const machineRoots: Roots = { sys: "/sys", etc: "/etc", run: "/run" };

/** Looks at the whole network now. Takes some milliseconds. @throws {Failure} unavailable: ip(8) does not tell. */
export async function look(roots: Roots, signal: AbortSignal): Promise<Seen> {
  const [links, routes] = await Promise.all([askLinks(signal), askDefaultRoutes(signal)]);
  return { interfaces: interfacesOf(links, routes, roots.sys), dnsServers: readNameServers(roots) };
}

function interfacesOf(links: readonly IpLink[], routes: readonly IpRoute[], sys: string): Interface[] {
  const indexes = new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
  const gateways = gatewaysOf(routes);
  const all = links.map((link): Interface & LinkMarks => {
    const { ifname: name, ifindex: index, flags } = link;
    const { kind, speedMbps } = hardwareOf(link, sys);
    return {
      ...{ name, index, kind, speedMbps, mac: link.address, mtu: link.mtu },
      operstate: link.operstate.toLowerCase(),
      carrier: flags.includes("UP") && flags.includes("LOWER_UP"),
      addresses: link.addr_info.flatMap(({ local, prefixlen }) =>
        local ? `${local}/${prefixlen ?? 0}` : [],
      ),
      gateways: gateways.get(name) ?? [],
      isLoopback: flags.includes("LOOPBACK"),
      masterIndex: (link.master !== undefined && indexes.get(link.master)) || 0,
      hasParentHere: link.link !== undefined && kind !== "veth",
      carriesDefaultRoute: gateways.has(name),
    };
  });
  return ownInterfaces(all).map(
    ({ isLoopback, masterIndex, hasParentHere, carriesDefaultRoute, ...told }) => told,
  );
}

/** A link without a word for its driver is hardware, or sysfs shows another network namespace: then it looks like hardware. */
function hardwareOf(link: IpLink, sys: string): { kind: InterfaceKind; speedMbps: number } {
  const hardware = readHardware(sys, link.ifname, link.ifindex);
  const speedMbps = hardware?.speedMbps ?? 0;
  const driver = kindOfDriver(link.linkinfo?.info_kind);
  if (driver !== undefined) return { kind: driver, speedMbps };
  if (hardware?.isWireless) return { kind: "wireless", speedMbps };
  return {
    kind: link.link_type === "ether" && hardware?.hasDevice !== false ? "physical" : "other",
    speedMbps,
  };
}

/**
 * The gateways of the default routes by interface, best metric first, IPv4 before IPv6. An interface whose default route has
 * no gateway (a point-to-point link) has an empty list. Routes of policies are not the machine's own way out.
 */
export function gatewaysOf(routes: readonly IpRoute[]): Map<string, string[]> {
  const hops = routes
    .filter(({ table }) => table === "main")
    .sort((a, b) => a.metric - b.metric)
    .flatMap((route) => (route.nexthops.length > 0 ? route.nexthops : [route]));
  const found = new Map<string, string[]>();
  for (const { dev, gateway, via } of hops) {
    if (dev === undefined) continue; // A route that is refused leaves through none.
    const list = found.get(dev) ?? [];
    const address = gateway ?? via?.host;
    if (address !== undefined && !list.includes(address)) list.push(address);
    found.set(dev, list);
  }
  for (const list of found.values()) list.sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
  return found;
}
