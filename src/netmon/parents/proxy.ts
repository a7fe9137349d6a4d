import * as v from "valibot";
import { lookAtFilters } from "./firewall.ts";
import { askIp, links } from "./links.ts";
import { isMarked, type ProxiesSeen, type ProxyWish, planProxies } from "./proxy-plan.ts";
import { lookAtRoutes } from "./routes.ts";
import { readSetting } from "./settings.ts";
import { carryOut } from "./steps.ts";

/**
 * Makes what the node does for proxied vNICs as all these wishes together say, and undoes it for every other, its link included.
 * To be called again when a wish, an address, or the picture of a parent is different; one call at a time. A wish whose link or
 * parent is not there waits.
 * @throws {Failure} denied: the kernel's settings cannot be written here.
 */
export async function keepProxies(wanted: readonly ProxyWish[], signal: AbortSignal): Promise<void> {
  await carryOut(planProxies(wanted, await look(wanted.length > 0, signal)), signal);
}

async function look(isWanted: boolean, signal: AbortSignal): Promise<ProxiesSeen> {
  const [all, routes, proxied] = await Promise.all([
    links({}, signal),
    lookAtRoutes(signal),
    askIp({}, proxiedSchema, ["-N", "neigh", "show", "proxy"], signal),
  ]);
  return {
    ...{ links: all, routes, proxied },
    // Without a mark there is no rule of ours.
    filters: isWanted || proxied.some(isMarked) ? await lookAtFilters(signal) : [],
    isForwarding: (link) => readSetting(`net/ipv4/conf/${link}/forwarding`) === "1",
  };
}

/** Without a protocol when it is 0: by hand. */
const proxiedSchema = v.object({
  dst: v.string(),
  dev: v.string(),
  protocol: v.optional(v.pipe(v.union([v.string(), v.number()]), v.transform(String)), "0"),
});
