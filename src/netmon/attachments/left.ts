import { findOwners, Netns, observe } from "../namespaces/index.ts";

/**
 * MAC addresses of the links that a container has already. Those of a netmon that lost its disk are its own, and no other
 * machine's: they are taken up as they are.
 */
export async function macsInside(containerId: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const owner = findOwners(new Set([containerId])).get(containerId);
  if (!owner) return new Set();
  try {
    await using netns = await Netns.open(owner);
    const { links } = await observe(netns.place, signal);
    return new Set(links.map(({ mac }) => mac));
  } catch {
    signal.throwIfAborted();
    return new Set(); // It ended meanwhile.
  }
}
