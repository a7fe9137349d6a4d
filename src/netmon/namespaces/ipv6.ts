import { failure } from "../../base/failure.ts";
import type { Place } from "./run.ts";
import { type Settings, writeSettings } from "./settings.ts";

/** Off, by routers' advertisements and the MAC, or with addresses that are given by hand. */
export type Ipv6Use = "none" | "slaac" | "static";

/** Whether a link has IPv6 at all. Written last, so that its first address is already as the others say. */
export const ipv6Switch = "ipv6/conf/*/disable_ipv6";

/** Addresses are made of the MAC, and neighbours are told when one comes to another MAC, as gratuitous ARP does for IPv4. */
const stable = {
  "ipv6/conf/*/use_tempaddr": 0,
  "ipv6/conf/*/addr_gen_mode": 0,
  "ipv6/conf/*/ndisc_notify": 1,
};

const settings: Readonly<Record<Ipv6Use, Settings>> = {
  none: { [ipv6Switch]: 1 },
  // 2, because 1 means "unless packets are forwarded here".
  slaac: { "ipv6/conf/*/accept_ra": 2, "ipv6/conf/*/autoconf": 1, ...stable, [ipv6Switch]: 0 },
  static: { "ipv6/conf/*/accept_ra": 0, "ipv6/conf/*/autoconf": 0, ...stable, [ipv6Switch]: 0 },
};

/**
 * Says how a link uses IPv6; best before it is set up, because what changes afterwards costs its addresses.
 * @throws {Failure} not_found: the link. unsupported: this kernel has no IPv6. denied: /proc/sys cannot be written.
 */
export async function setIpv6(
  place: Place,
  device: string,
  use: Ipv6Use,
  signal: AbortSignal,
): Promise<void> {
  const missing = await writeSettings(place, device, settings[use], signal);
  if (use === "none" || !missing.includes(ipv6Switch)) return;
  throw failure("unsupported", `${device} cannot have IPv6: this kernel has none`);
}
