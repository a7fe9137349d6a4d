import { VnicChangeKind as Kind, type Vnic } from "../../../gen/edge/v1/vnics_pb.ts";
import { failure } from "../../base/failure.ts";
import { releaseLease } from "../lease/index.ts";
import { onTrial, setIpv6, setLinkUp } from "../namespaces/index.ts";
import { clientIdOf, forgetLease, type Whose } from "./clients.ts";
import { findParent } from "./parent.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** How long a server may take to hear that a lease is given back, in milliseconds; it takes it back by itself in time. */
const releaseMs = 3_000;

/** Gives the leases of these vNICs back, side by side, and forgets them whether or not their servers could be told. */
export async function giveBack(
  tended: Tended,
  wishes: readonly Vnic[],
  tools: Tools,
  signal: AbortSignal,
): Promise<void> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(releaseMs)]);
  const one = async (wish: Vnic) => {
    const vnic = tended.vnics.get(wish.name);
    if (!vnic?.lease) return;
    const whose = { wish, vnic, tended, tools };
    try {
      await tellServer(whose, stop);
      forgetLease(whose, Kind.LEASE_RELEASED, "it is not needed any more");
    } catch (error) {
      signal.throwIfAborted();
      tools.log.warn(
        { owner: tended.attachment.owner, vnic: wish.name, error },
        "a lease could not be given back",
      );
      forgetLease(whose, Kind.LEASE_LOST, "it is not needed any more, and its server could not be told");
    }
  };
  await Promise.all(wishes.map(one));
}

async function tellServer({ wish, vnic, tended, tools }: Whose, signal: AbortSignal): Promise<void> {
  const { client, lease } = vnic;
  vnic.client = undefined;
  if (client) return await client.release(signal);
  const parent = findParent(wish, tools.picture());
  if (!lease || !parent?.carrier || wish.mac === "" || wish.vlanId !== 0) {
    throw failure("unavailable", `${wish.name} has no link by which its server can be told`);
  }
  // The server believes only the station itself, so for a moment there is one.
  const { owner } = tended.attachment;
  await onTrial({ parent: parent.name, mac: wish.mac, mode: "bridge", signal }, async (place, device) => {
    await setIpv6(place, device, "none", signal);
    await setLinkUp(place, device, signal);
    await releaseLease({ place, device, lease: lease.lease, clientId: clientIdOf(owner, wish), signal });
  });
}
