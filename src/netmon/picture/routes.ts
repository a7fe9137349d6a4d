import { destinationOf, everywhere, isIpv6 } from "../ip/index.ts";
import type { IpRoute } from "./ip.ts";

/** A route through an interface; see `edge.v1.NetworkRoute` for what each field means. */
export interface Route {
  readonly destination: string;
  readonly gateway: string;
  readonly metric: number;
}

/** The routes by interface: IPv4 before IPv6, the preferred before others. One with many next hops is a route through each. */
export function routesOf(routes: readonly IpRoute[]): Map<string, Route[]> {
  const found = new Map<string, Route[]>();
  const inOrder = routes.toSorted((a, b) => Number(isIpv6(a)) - Number(isIpv6(b)) || a.metric - b.metric);
  for (const route of inOrder) {
    for (const { dev, gateway, via } of route.nexthops.length > 0 ? route.nexthops : [route]) {
      if (dev === undefined) continue;
      const list = found.get(dev) ?? [];
      const to = destinationOf(route);
      list.push({ destination: to, gateway: gateway ?? via?.host ?? "", metric: route.metric });
      found.set(dev, list);
    }
  }
  return found;
}

export function isDefault({ destination }: Route): boolean {
  return destination === everywhere.ipv4 || destination === everywhere.ipv6;
}

/** The gateways of the default routes, each once, in order. A default route of a point-to-point link has none. */
export function gatewaysOf(routes: readonly Route[]): string[] {
  const gateways = routes.filter(isDefault).flatMap(({ gateway }) => (gateway === "" ? [] : [gateway]));
  return [...new Set(gateways)].sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}
