import { unlessGone } from "./links.ts";
import { type Place, run } from "./run.ts";

/** As `InsideRoute`; an empty or missing gateway means that the destination is on the link itself. */
export interface RouteWish {
  readonly destination: string;
  readonly gateway?: string;
  readonly device: string;
  readonly metric?: number;
}

/**
 * Makes a route, in place of one to the same destination with the same metric. The gateway need not be in a subnet of the link:
 * some DHCP servers give addresses with prefix 32. @throws {Failure} not_found: the link. unavailable: it is down.
 */
export async function replaceRoute(place: Place, route: RouteWish, signal: AbortSignal): Promise<void> {
  const through = route.gateway ? ["via", route.gateway] : [];
  const onLink = route.gateway ? ["onlink"] : [];
  const args = [
    ...family(route),
    "route",
    "replace",
    route.destination,
    ...through,
    ...where(route),
    ...onLink,
  ];
  const doing = `route ${route.destination} through ${route.gateway || "the link itself"} on ${route.device}`;
  await run(place, "ip", args, { signal, doing });
}

/** Removes a route; one that is not there is the same success. */
export async function removeRoute(place: Place, route: RouteWish, signal: AbortSignal): Promise<void> {
  const through = route.gateway ? ["via", route.gateway] : [];
  const args = [...family(route), "route", "delete", route.destination, ...through, ...where(route)];
  const doing = `remove the route to ${route.destination} on ${route.device}`;
  await unlessGone(run(place, "ip", args, { signal, doing }));
}

function family({ destination }: RouteWish): string[] {
  return [destination.includes(":") ? "-6" : "-4"];
}

function where({ device, metric }: RouteWish): string[] {
  return ["dev", device, ...(metric === undefined ? [] : ["metric", String(metric)])];
}
