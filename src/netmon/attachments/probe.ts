import { asFailure } from "../../base/failure.ts";
import { withoutPrefix } from "../../wire/subnet.ts";
import { type Place, probeAddress } from "../namespaces/index.ts";
import type { Bench } from "./links.ts";
import { fail } from "./problem.ts";
import type { TendedVnic } from "./tended.ts";

/**
 * How long an address counts as free without being asked for, in milliseconds: since we had it on a link, or asked in vain. It
 * covers the restart of a container, which should not wait two seconds for an answer: so soon nobody else takes an address whose
 * holder still answered a moment ago, and neighbours are told anew by which MAC it is reached.
 */
export const freeMs = 120_000;

/** Asks the LAN, beside everything else, who has an address. What is found is for the next round. */
export function probe(
  vnic: TendedVnic,
  { address, ...onLan }: { place: Place; device: string; address: string },
  { tools, tended, signal }: Bench,
): void {
  vnic.probing?.stop.abort();
  const probing = { address, stop: new AbortController() };
  vnic.probing = probing;
  const stop = AbortSignal.any([signal, probing.stop.signal]);
  const asking = probeAddress({ ...onLan, address, signal: stop });
  const host = withoutPrefix(address);
  asking
    .then(
      (mac) => {
        if (mac !== undefined) fail(vnic, conflictOf(host, mac), tools);
        // Where the carrier went meanwhile, nobody was asked.
        else if (vnic.parent?.carrier !== false) vnic.free.set(host, tools.clock.elapsed() + freeMs);
      },
      (thrown: unknown) => {
        if (!stop.aborted) fail(vnic, { reason: asFailure(thrown).message }, tools);
      },
    )
    .finally(() => {
      if (vnic.probing === probing) vnic.probing = undefined;
      tools.wake(tended);
    });
}

/** Another machine has the address. */
export function conflictOf(host: string, mac: string) {
  const reason = `${host} is already used by the machine with MAC ${mac}: choose another address, or take it from there`;
  return { reason, otherMac: mac };
}
