import { endianness } from "node:os";
import { join } from "node:path";
import { readText } from "../../wire/interfaces.ts";

/**
 * The gateways of the default routes by interface, best metric first, IPv4 before IPv6. An interface whose default route has
 * no gateway (a point-to-point link) has an empty list. Of a route over several paths the kernel shows the first.
 */
export function readGateways(procRoot: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const routes = [
    ...parseRoutes4(readText(join(procRoot, "net/route")) ?? "", endianness() === "LE"),
    ...parseRoutes6(readText(join(procRoot, "net/ipv6_route")) ?? ""), // No such file without IPv6.
  ];
  for (const { device, gateway } of routes) {
    const list = found.get(device) ?? [];
    if (gateway !== undefined && !list.includes(gateway)) list.push(gateway);
    found.set(device, list);
  }
  return found;
}

/** A default route. */
export interface DefaultRoute {
  device: string;
  gateway: string | undefined;
  metric: number;
}

/** The default routes in /proc/net/route, whose addresses are words in the machine's byte order. */
export function parseRoutes4(text: string, isLittleEndian: boolean): DefaultRoute[] {
  const routes = text
    .split("\n")
    .slice(1)
    .flatMap((line): DefaultRoute[] => {
      const [device, destination, gateway, flags, , , metric, mask] = line.trim().split(/\s+/);
      if (device === undefined || gateway === undefined || mask === undefined) return [];
      if (destination !== "00000000" || mask !== "00000000") return [];
      if (!isUsable(Number.parseInt(flags ?? "", 16))) return [];
      const bytes = [...Buffer.from(gateway, "hex")];
      const address = (isLittleEndian ? bytes.reverse() : bytes).join(".");
      return [{ device, metric: Number(metric), gateway: address === "0.0.0.0" ? undefined : address }];
    });
  return routes.sort((a, b) => a.metric - b.metric);
}

/** The default routes in /proc/net/ipv6_route. */
export function parseRoutes6(text: string): DefaultRoute[] {
  const routes = text.split("\n").flatMap((line): DefaultRoute[] => {
    const [destination, length, , , next, metric, , , flags, device] = line.trim().split(/\s+/);
    if (device === undefined || next === undefined || length !== "00") return [];
    if (!/^0{32}$/.test(destination ?? "") || !isUsable(Number.parseInt(flags ?? "", 16))) return [];
    const gateway = /^0{32}$/.test(next) ? undefined : toAddress6(next);
    return [{ device, metric: Number.parseInt(metric ?? "", 16), gateway }];
  });
  return routes.sort((a, b) => a.metric - b.metric);
}

/** RTF_UP without RTF_REJECT, of the kernel's <linux/route.h>. */
function isUsable(flags: number): boolean {
  return (flags & 0x1) !== 0 && (flags & 0x200) === 0;
}

/** As people write it: the WHATWG URL parser shortens an IPv6 address by RFC 5952. */
function toAddress6(hex: string): string {
  const groups = hex.match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
