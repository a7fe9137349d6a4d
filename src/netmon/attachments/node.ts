import { isIPv4 } from "node:net";
import { type Vnic, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { withoutPrefix } from "../../wire/subnet.ts";
import {
  keepProxies,
  keepShims,
  type ProxyWish,
  removeUnusedVlans,
  type ShimWish,
  type Vlan,
} from "../parents/index.ts";
import type { Seen } from "../picture/index.ts";
import { findParent, modeOn } from "./parent.ts";
import type { Tended } from "./tended.ts";

/** What the node itself must have for the vNICs of all owners together. */
export interface NodeWish {
  readonly vlans: readonly Vlan[];
  readonly shims: readonly ShimWish[];
  readonly proxies: readonly ProxyWish[];
  /** The parents as they are: what is made upon one that is different is looked at again. */
  readonly parents: readonly unknown[];
}

/** What all vNICs together ask of the node, as they stand after their last rounds. */
export function nodeWish(all: readonly Tended[], picture: Seen): NodeWish {
  const vlans: Vlan[] = [];
  const shims = new Map<string, { address: string; mac: string }[]>();
  const proxies: ProxyWish[] = [];
  const parents = new Map<string, unknown>();
  for (const { attachment, vnics, standings } of all) {
    for (const wish of attachment.vnics) {
      const parent = findParent(wish, picture);
      if (!parent) continue;
      const upon = vnics.get(wish.name)?.upon?.name ?? parent.name;
      const standing = standings.find((one) => one.vnic.name === wish.name);
      const address = standing?.linkOn ? standing.addresses.map(withoutPrefix).find(isIPv4) : undefined;
      const isProxied = modeOn(wish, parent) === VnicMode.PROXY_ARP;
      if (wish.vlanId !== 0) vlans.push({ parent: parent.name, vlanId: wish.vlanId });
      if (isProxied) {
        proxies.push({ owner: attachment.owner, vnic: wish.name, parent: parent.name, address });
      } else if (wish.hostAccess && address !== undefined) {
        shims.set(upon, [...(shims.get(upon) ?? []), { address, mac: standing?.mac ?? wish.mac }]);
      }
      if (isProxied || wish.hostAccess) {
        parents.set(parent.name, [parent.index, parent.carrier, parent.addresses, parent.routes]);
      }
    }
  }
  const byParent = [...shims].map(([parent, having]) => ({ parent, vnics: having }));
  return { vlans, shims: byParent, proxies, parents: [...parents] };
}

/** Whether a vNIC needs something of the node beside its parent. */
export function asksNode(wish: Vnic, picture: Seen): boolean {
  const parent = findParent(wish, picture);
  return wish.hostAccess || (parent !== undefined && modeOn(wish, parent) === VnicMode.PROXY_ARP);
}

/** Makes the node as its vNICs ask, and undoes what none asks for any more. One call at a time. */
export async function keepNode({ vlans, shims, proxies }: NodeWish, signal: AbortSignal): Promise<void> {
  await keepProxies(proxies, signal);
  await keepShims(shims, signal);
  await removeUnusedVlans(vlans, signal);
}
