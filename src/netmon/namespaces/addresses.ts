import { unlessGone } from "./links.ts";
import { type Place, run } from "./run.ts";

export interface AddressOptions {
  /** After so many seconds the kernel takes it away by itself, also when netmon is dead; without it, never. */
  readonly validSeconds?: number;
  readonly signal: AbortSignal;
}

/**
 * Gives a link an address such as `10.0.0.5/24`. One that it has already gets its time anew and stays what it is: no connection
 * notices. @throws {Failure} not_found: the link. denied: IPv6 is off on it. invalid: it is no address.
 */
export async function addAddress(
  place: Place,
  device: string,
  address: string,
  { validSeconds, signal }: AddressOptions,
): Promise<void> {
  const seconds = String(validSeconds === undefined ? "forever" : Math.max(1, Math.floor(validSeconds)));
  const lifetimes = ["valid_lft", seconds, "preferred_lft", seconds];
  // Broadcasts are for IPv4, where everybody expects the last address of the subnet.
  const broadcast = address.includes(":") ? [] : ["broadcast", "+"];
  const args = ["address", "replace", address, ...broadcast, "dev", device, ...lifetimes];
  await run(place, "ip", args, { signal, doing: `give ${device} the address ${address}` });
}

/** Takes an address away; one that is not there is the same success. */
export async function removeAddress(
  place: Place,
  device: string,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  const doing = `take the address ${address} from ${device}`;
  await unlessGone(run(place, "ip", ["address", "delete", address, "dev", device], { signal, doing }));
}
