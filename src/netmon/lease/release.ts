import { failure } from "../../base/failure.ts";
import { aborted } from "../../base/tasks.ts";
import { addAddress, type Place, removeAddress } from "../namespaces/index.ts";
import { type DhcpLease, hostOf, leaseFrom } from "./lease.ts";
import { startUdhcpc } from "./udhcpc.ts";

export interface ReleaseOptions {
  /** Where there is a link with the MAC address that the lease was given to, which is up. */
  readonly place: Place;
  readonly device: string;
  readonly lease: Pick<DhcpLease, "address">;
  readonly clientId: string;
  readonly signal: AbortSignal;
}

/**
 * Gives back a lease that no client holds any more: takes it again, since a server believes only the address's own station, and
 * releases it. The link has the address for that time.
 * @throws {Failure} not_found: the server gives another address, so the lease is not of this LAN. unavailable: udhcpc ended.
 * Without a server it waits until the signal is aborted, and throws its reason.
 */
export async function releaseLease(options: ReleaseOptions): Promise<void> {
  const { place, device, clientId, signal } = options;
  const wish = options.lease.address;
  const { promise: given, resolve } = Promise.withResolvers<DhcpLease>();
  await using client = startUdhcpc(
    { place, device, clientId, address: hostOf(wish) },
    {
      onTold: ({ event, values }) => {
        const lease = event === "bound" ? leaseFrom(values, Date.now()) : undefined;
        if (lease) resolve(lease);
      },
    },
  );
  const got = await Promise.race([given, client.ended, aborted(signal)]);
  signal.throwIfAborted();
  if (got instanceof Error) throw got;
  const { address } = got ?? { address: wish };
  await addAddress(place, device, address, { signal });
  try {
    await client.giveBack(signal);
  } finally {
    await removeAddress(place, device, address, new AbortController().signal);
  }
  if (hostOf(address) !== hostOf(wish)) {
    throw failure(
      "not_found",
      `the DHCP server gives ${address}, so the lease of ${wish} is not of this LAN`,
    );
  }
}
