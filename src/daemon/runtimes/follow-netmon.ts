import { isDeepStrictEqual } from "node:util";
import type { Network, Reached } from "../network/index.ts";

export interface FollowOptions {
  network: Pick<Network, "netmon" | "changes">;
  /** Called when netmon answers for the first time, or again. */
  back: () => void;
  /** Called when it, or what it says of a vNIC or a device in short, is different: leases are renewed all the time. */
  changed: () => void;
}

/** Follows what is known of netmon for as long as the signal lets it. */
export async function followNetmon(
  { network, back, changed }: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  let before: unknown;
  let wasThere = false;
  for await (const _ of network.changes.wakes(signal)) {
    const { netmon } = network;
    const isThere = netmon.at === "there";
    if (isThere && !wasThere) back();
    wasThere = isThere;
    const now = inShort(netmon);
    if (isDeepStrictEqual(now, before)) continue;
    before = now;
    changed();
  }
}

function inShort(netmon: Reached): unknown {
  if (netmon.at !== "there") return netmon;
  return [...netmon.attached].map(([name, { containerId, vnics, devices }]) => {
    const levels = vnics.map((vnic) => [vnic.name, vnic.phase, vnic.reason, vnic.addresses]);
    const plugged = devices.map((one) => [one.nodePath, one.phase, one.reason, one.realPath, one.number]);
    return [name, containerId, levels, plugged];
  });
}
