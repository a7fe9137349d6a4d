import { isIPv4 } from "node:net";
import { Ipv6Mode, type Vnic } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Inside } from "../namespaces/index.ts";
import { isInSubnetOf } from "./follow.ts";
import { type Offer, type Route, type Situation, type Step, stepFor } from "./situation.ts";

/** A vNIC whose link is there, with what it offers. */
export interface Offering {
  readonly vnic: Vnic;
  /** Undefined when it has no address that it should have. */
  readonly offer: Offer | undefined;
  /** Its addresses when all steps are done. */
  readonly addresses: readonly string[];
}

const everywhere = { ipv4: "0.0.0.0/0", ipv6: "::/0" } as const;

/** The metric of a vNIC that says none. */
const usualMetric = 100;

/**
 * The one rule for the default route: of the vNICs that have an address and a gateway now, the one with the lowest metric; of
 * equal ones, the first.
 */
export function defaultRouteOwner(offerings: readonly Offering[]): Offering | undefined {
  const able = offerings.filter(
    ({ vnic, offer }) => offer !== undefined && offer.gateway !== "" && !vnic.noDefaultRoute,
  );
  return able.toSorted((a, b) => metricOf(a.vnic) - metricOf(b.vnic))[0];
}

/** Steps for routes and name servers, for all vNICs of an owner together. */
export function planRoutes(
  offerings: readonly Offering[],
  {
    inside,
    displaced,
    hasFiles,
    nameServers,
  }: Pick<Situation, "displaced" | "hasFiles" | "nameServers"> & { inside: Inside },
  { isSettled }: { isSettled: boolean },
): Step[] {
  const owner = defaultRouteOwner(offerings);
  const wanted = offerings.flatMap((one) => wantedRoutes(one, one === owner));
  const missing = wanted.filter((route) => !inside.routes.some((one) => isSame(one, route)));
  const steps = missing.map((route): Step => {
    const isDefault = route.destination === everywhere.ipv4;
    const reason = isDefault ? whyOwner(owner, offerings) : `${route.device} offers it`;
    return stepFor(route.device, { do: "replaceRoute", route }, reason);
  });
  steps.push(...staleRoutes(inside, offerings, wanted));
  if (
    !owner &&
    displaced &&
    isSettled &&
    !inside.routes.some(({ destination }) => destination === everywhere.ipv4)
  ) {
    const route = {
      destination: everywhere.ipv4,
      gateway: displaced.gateway,
      device: displaced.device,
      metric: 0,
    };
    steps.push(
      stepFor("", { do: "replaceRoute", route }, "no vNIC has a default route, so the engine's own is back"),
    );
  }
  const { dnsServers = [], search = "" } = owner?.offer ?? {};
  if (owner && hasFiles && dnsServers.length > 0 && nameServersKey(dnsServers, search) !== nameServers) {
    const deed = { do: "writeNameServers", servers: dnsServers, search } as const;
    steps.push(stepFor(owner.vnic.name, deed, `${owner.vnic.name} owns the default route`));
  }
  return steps;
}

/** Name servers as one text, to see whether they are others than before. */
export function nameServersKey(servers: readonly string[], search: string): string {
  return [...servers, search].join(" ");
}

function wantedRoutes({ vnic, offer }: Offering, ownsDefault: boolean): Route[] {
  const device = vnic.name;
  const routes: Route[] = (offer?.routes ?? []).map((route) => ({ ...route, device, metric: 0 }));
  if (ownsDefault && offer) {
    // Not the metric 0 of the engine's, which refuses to start a container that has such a route when it adds its own.
    const metric = metricOf(vnic);
    routes.push({ destination: everywhere.ipv4, gateway: offer.gateway, device, metric });
  }
  // Of IPv6 the kernel itself takes the lowest metric, as it does with those that routers advertise.
  if (vnic.ipv6Mode === Ipv6Mode.STATIC && vnic.ipv6Gateway !== "" && !vnic.noDefaultRoute) {
    const metric = metricOf(vnic);
    routes.push({ destination: everywhere.ipv6, gateway: vnic.ipv6Gateway, device, metric });
  }
  return routes;
}

/**
 * Default routes of IPv4 that nobody wants, the engine's among them while a vNIC owns the default route, and routes through
 * gateways that the vNIC's addresses do not reach any more. Others are the runtime's own business.
 */
function staleRoutes({ routes }: Inside, offerings: readonly Offering[], wanted: readonly Route[]): Step[] {
  const hasDefault = wanted.some(({ destination }) => destination === everywhere.ipv4);
  return routes.flatMap((route) => {
    const offering = offerings.find(({ vnic }) => vnic.name === route.device);
    if (wanted.some((one) => isSame(one, route)) || !isIPv4(route.gateway)) return [];
    const isDefault = route.destination === everywhere.ipv4;
    const isEngines = isOfEngine(route);
    const isLost =
      offering?.offer && (isDefault || !offering.addresses.some((one) => isInSubnetOf(one, route.gateway)));
    if (!(isEngines && hasDefault) && !isLost) return [];
    const reason = isDefault ? "a vNIC owns the default route" : `${route.gateway} is not reached any more`;
    return [stepFor(route.device, { do: "removeRoute", route, isEngines }, reason)];
  });
}

function whyOwner(owner: Offering | undefined, offerings: readonly Offering[]): string {
  const name = owner?.vnic.name ?? "";
  return offerings.length === 1
    ? `${name} has a gateway`
    : `of the vNICs that have a gateway, ${name} has the lowest metric`;
}

/** The engine calls its own links `eth0`, `eth1`, ..., which no vNIC may be called. */
function isOfEngine({ destination, device }: Pick<Route, "destination" | "device">): boolean {
  return destination === everywhere.ipv4 && /^eth\d+$/.test(device);
}

function isSame(one: Route, other: Route): boolean {
  const { destination, gateway, device, metric } = other;
  return (
    one.destination === destination &&
    one.gateway === gateway &&
    one.device === device &&
    one.metric === metric
  );
}

function metricOf({ metric }: Vnic): number {
  return metric === 0 ? usualMetric : metric;
}
