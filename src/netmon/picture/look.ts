import {
  type InterfaceKind,
  kindOfDriver,
  type LinkMarks,
  ownInterfaces,
  readHardware,
} from "../../wire/interfaces.ts";
import { subnetsOf } from "../../wire/subnet.ts";
import { readNameServers } from "./dns.ts";
import { askLinks, askRoutes, type IpLink } from "./ip.ts";
import { gatewaysOf, isDefault, type Route, routesOf } from "./routes.ts";
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
  const [links, routes] = await Promise.all([askLinks(signal), askRoutes(signal)]);
  return { interfaces: interfacesOf(links, routesOf(routes), roots.sys), dnsServers: readNameServers(roots) };
}

function interfacesOf(
  links: readonly IpLink[],
  allRoutes: ReadonlyMap<string, Route[]>,
  sys: string,
): Interface[] {
  const indexes = new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
  const all = links.map((link): Interface & LinkMarks => {
    const { ifname: name, ifindex: index, flags } = link;
    const { kind, speedMbps } = hardwareOf(link, sys);
    const routes = allRoutes.get(name) ?? [];
    const addresses = link.addr_info.flatMap(({ local, prefixlen }) =>
      local ? `${local}/${prefixlen ?? 0}` : [],
    );
    return {
      ...{ name, index, kind, speedMbps, mac: link.address, mtu: link.mtu },
      operstate: link.operstate.toLowerCase(),
      carrier: flags.includes("UP") && flags.includes("LOWER_UP"),
      ...{ addresses, subnets: subnetsOf(addresses), gateways: gatewaysOf(routes), routes },
      isLoopback: flags.includes("LOOPBACK"),
      masterIndex: (link.master !== undefined && indexes.get(link.master)) || 0,
      hasParentHere: link.link !== undefined && kind !== "veth",
      carriesDefaultRoute: routes.some(isDefault),
      alias: link.ifalias,
    };
  });
  return ownInterfaces(all).map(
    ({ isLoopback, masterIndex, hasParentHere, carriesDefaultRoute, alias, ...told }) => told,
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
