import * as v from "valibot";
import { subnetOf } from "../../wire/subnet.ts";
import { askIp, ipv4Of, type Link } from "./links.ts";
import type { Step } from "./steps.ts";

/** A route of the node itself to one vNIC. */
export interface RouteToVnic {
  readonly address: string;
  /** The node's own address that it talks from; undefined leaves it to the kernel. */
  readonly source: string | undefined;
}

export type HostRoute = v.InferOutput<typeof routeSchema>;

/** The node's own IPv4 routes. */
export function lookAtRoutes(signal: AbortSignal): Promise<HostRoute[]> {
  return askIp({}, routeSchema, ["-4", "route", "show"], signal);
}

/** What makes these the only routes through a link that is ours. */
export function stepsForRoutes(
  device: string,
  wanted: readonly RouteToVnic[],
  seen: readonly HostRoute[],
): Step[] {
  const routes = seen.filter(({ dev }) => dev === device);
  const isWanted = ({ dst }: HostRoute) => wanted.some(({ address }) => address === dst);
  const isThere = ({ address, source }: RouteToVnic) =>
    routes.some(({ dst, prefsrc }) => dst === address && prefsrc === source);
  return [
    ...routes.filter((one) => !isWanted(one)).map(({ dst }) => `ip route delete ${dst} dev ${device}`),
    ...wanted
      .filter((one) => !isThere(one))
      .map(({ address, source }) => {
        const from = source === undefined ? "" : ` src ${source}`;
        return `ip route replace ${address} dev ${device}${from}`;
      }),
  ];
}

/**
 * The node's own address from which it talks with a vNIC: of those that it has on the parent, the one in the same subnet, so that
 * the answer needs no gateway; else the first; undefined when it has none there.
 */
export function sourceFor(address: string, parent: Link): string | undefined {
  const own = ipv4Of(parent);
  const near = own.find((one) => subnetOf(one) === subnetOf(`${address}/${one.split("/")[1]}`));
  return (near ?? own[0])?.split("/")[0];
}

const routeSchema = v.object({
  dst: v.string(),
  dev: v.optional(v.string()),
  prefsrc: v.optional(v.string()),
});
