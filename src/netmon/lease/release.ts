import { failure } from "../../base/failure.ts";
import { aborted } from "../../base/tasks.ts";
import { withoutPrefix } from "../../wire/subnet.ts";
import { addAddress, type Place, removeAddress } from "../namespaces/index.ts";
import { type DhcpLease, leaseFrom } from "./lease.ts";
import { startUdhcpc, type Udhcpc } from "./udhcpc.ts";

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
 * releases it.
 * @throws {Failure} not_found: the server gives another address, so the lease is not of this LAN. unavailable: udhcpc ended.
 * Without a server it waits until the signal is aborted, and throws its reason.
 */
export async function releaseLease(options: ReleaseOptions): Promise<void> {
  const { place, device, clientId, signal } = options;
  const wish = withoutPrefix(options.lease.address);
  const { promise: given, resolve } = Promise.withResolvers<DhcpLease>();
  await using client = startUdhcpc(
    { place, device, clientId, address: wish },
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
  const lease = got ?? options.lease;
  await giveBack(client, { ...options, lease });
  if (withoutPrefix(lease.address) !== wish) {
    throw failure(
      "not_found",
      `the DHCP server gives ${lease.address}: the lease of ${wish} is not of this LAN`,
    );
  }
}

/**
 * Has a client that is bound release its lease. The link has the address for that, and never after. There is no answer to a
 * release: one that is lost on its way looks the same. @throws {Failure} what hinders it from leaving.
 */
export async function giveBack(
  client: Udhcpc,
  { place, device, lease, signal }: Omit<ReleaseOptions, "clientId">,
): Promise<void> {
  await addAddress(place, device, lease.address, { signal });
  try {
    await client.giveBack(signal);
  } finally {
    await removeAddress(place, device, lease.address, new AbortController().signal);
  }
}
