import { failure } from "../../base/failure.ts";
import { type Place, run } from "./run.ts";

/** Off, by routers' advertisements and the MAC, or with addresses that are given by hand. */
export type Ipv6Use = "none" | "slaac" | "static";

/**
 * What each is to the kernel, in the order of writing: `disable_ipv6` last, so that the first address is already as it should
 * be. `addr_gen_mode` 0 makes addresses of the MAC; `accept_ra` 2 takes advertisements also where packets are forwarded;
 * `ndisc_notify` tells neighbours at once when an address has come to another MAC, as gratuitous ARP does.
 */
const settings: Readonly<Record<Ipv6Use, Readonly<Record<string, number>>>> = {
  none: { accept_ra: 0, disable_ipv6: 1 },
  slaac: { accept_ra: 2, autoconf: 1, use_tempaddr: 0, addr_gen_mode: 0, ndisc_notify: 1, disable_ipv6: 0 },
  static: { accept_ra: 0, autoconf: 0, use_tempaddr: 0, addr_gen_mode: 0, ndisc_notify: 1, disable_ipv6: 0 },
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
  await writeSettings(place, device, settings[use], signal);
}

/** @throws {Failure} as `setIpv6`. */
export async function writeSettings(
  place: Place,
  device: string,
  values: Readonly<Record<string, number>>,
  signal: AbortSignal,
): Promise<void> {
  const pairs = Object.entries(values).flatMap(([name, value]) => [name, String(value)]);
  const doing = `set IPv6 of ${device}`;
  const said = await run(place, "sh", ["-c", script, "sh", device, ...pairs], { signal, doing });
  const answer = said.trim();
  if (answer === "no link") throw failure("not_found", `cannot ${doing}: there is no such link`);
  if (answer === "no ipv6" && values.disable_ipv6 === 0) {
    throw failure("unsupported", `cannot ${doing}: this kernel has no IPv6`);
  }
}

/** /proc/sys/net shows the namespace of whoever reads it, so it is written by a program within. Old kernels lack some names. */
const script = `
set -e
all=/proc/sys/net/ipv6/conf
[ -d /proc/sys/net/ipv4/conf/"$1" ] || { echo no link; exit; }
[ -d "$all/$1" ] || { echo no ipv6; exit; }
link=$all/$1
shift
while [ $# -gt 0 ]; do
  [ ! -e "$link/$1" ] || echo "$2" >"$link/$1"
  shift 2
done`;
