/** A plant: this test's own namespace is the node, with `eth0` on a LAN where another machine is. */

import { after } from "node:test";
import { createMacvlan, observe, type Place } from "../../../src/netmon/namespaces/index.ts";
import { openLan } from "../../fixtures/lan.ts";
import { type Network, ownNetwork } from "../../fixtures/network.ts";
import { ownName } from "./own-network.ts"; // Whoever imports it runs within a namespace of its own.

export const { signal } = new AbortController();
export const macs = { first: "02:5f:10:00:00:01", second: "02:5f:10:00:00:02" };

export const lan = await openLan({ subnet6: "fd77::/64" });
after(() => lan[Symbol.asyncDispose]());
export const cable = lan.attach(ownName, "eth0");
export const neighbour = lan.host({ address: lan.at(20) });

/** A namespace as a container's, with a MACVLAN link `lan0` upon `eth0`. */
export async function container(mac: string) {
  const network = ownNetwork();
  const place: Place = { netns: `/run/netns/${network.name}` };
  await createMacvlan({ place, parent: "eth0", name: "lan0", mac, mode: "bridge", signal });
  return {
    ...{ network, place },
    [Symbol.dispose]: () => {
      // The kernel takes a namespace down later, in its own time. Until then its links are up, and have their MACs upon `eth0`.
      for (const { ifname } of macvlansIn(network)) network.ip(`link delete ${ifname}`);
      network[Symbol.dispose]();
    },
  };
}

function macvlansIn(network: Network) {
  return JSON.parse(network.exec("ip", "-j", "link", "show", "type", "macvlan")) as { ifname: string }[];
}

export async function linkIn(place: Place, name = "lan0") {
  return (await observe(place, signal)).links.find((link) => link.name === name);
}
