import { createHash } from "node:crypto";
import { failure } from "../../base/failure.ts";
import { ownNamespace, type Place, removeLink, run } from "../namespaces/index.ts";
import { type Link, links } from "./links.ts";

/** Whose a proxied vNIC is. */
export interface ProxyOwner {
  readonly owner: string;
  /** The vNIC's name, and that of its link in the container. */
  readonly vnic: string;
}

export interface ProxyLinkOptions extends ProxyOwner {
  /** The container's network namespace. */
  readonly place: Place;
  readonly mac: string;
}

/**
 * Makes the link of a vNIC of mode PROXY_ARP: one end of a pair in the container, in one step and down, with its name and MAC; the
 * other on the node, where `keepProxies` does the rest. Doing it again mends what was cut off.
 * @throws {Failure} conflict: the container has another link of that name.
 */
export async function ensureProxyLink(options: ProxyLinkOptions, signal: AbortSignal): Promise<void> {
  const { place, vnic, mac } = options;
  const name = proxyName(options);
  const [near, inside] = await Promise.all([links({}, signal), links(place, signal)]);
  const [here, there] = [named(near, name), named(inside, vnic)];
  if (here && there && isPair(here, there)) return;
  if (there) throw failure("conflict", `the container has another link called ${vnic}: rename the vNIC`);
  // The other end of this one is in a container that is being taken down.
  if (here) await removeLink({}, name, signal);
  const far = ["peer", "name", vnic, "address", mac, "netns", place.netns ?? ownNamespace];
  const doing = `make ${vnic} as a pair of links`;
  await run({}, "ip", ["link", "add", name, "type", "veth", ...far], { signal, doing });
}

/**
 * What a proxied vNIC's link is called on the node: by a hash of whose it is in full, so that no two collide, however long and
 * alike the names of their runtimes are.
 */
export function proxyName({ owner, vnic }: ProxyOwner): string {
  const hash = createHash("sha256").update(`${owner} ${vnic}`).digest("hex");
  return `orch-${hash.slice(0, 10)}`;
}

/** Whether a link of the node is one end of some proxied vNIC. */
export function isProxyLink({ kind, name }: Link): boolean {
  return kind === "veth" && /^orch-[0-9a-f]{10}$/.test(name);
}

function isPair(here: Link, there: Link): boolean {
  return here.kind === "veth" && here.farIndex === there.index && there.farIndex === here.index;
}

function named(all: readonly Link[], name: string): Link | undefined {
  return all.find((one) => one.name === name);
}
