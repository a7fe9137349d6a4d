import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { ownAlias } from "../../wire/interfaces.ts";
import { askIp, type Link, links } from "./links.ts";
import { type HostRoute, lookAtRoutes, sourceFor, stepsForRoutes } from "./routes.ts";
import { readSetting } from "./settings.ts";
import { carryOut, type Step } from "./steps.ts";

/** Which vNICs the node itself shall talk with, by the parent that they are made upon. */
export interface ShimWish {
  readonly parent: string;
  readonly vnics: readonly ShimVnic[];
}

export interface ShimVnic {
  /** IPv4, without prefix. */
  readonly address: string;
  readonly mac: string;
}

/** What a plan for the shims looks at. */
export interface ShimsSeen {
  readonly links: readonly Link[];
  readonly routes: readonly HostRoute[];
  readonly neighbours: readonly ShimNeighbour[];
}

export type ShimNeighbour = v.InferOutput<typeof neighbourSchema>;

/**
 * Makes the shims as all these wishes together say, and removes every other. To be called again when a wish, an address of a
 * vNIC, or the picture of a parent is different; one call at a time.
 * @throws {Failure} unavailable: the node answers ARP so strictly that a shim cannot.
 */
export async function keepShims(wanted: readonly ShimWish[], signal: AbortSignal): Promise<void> {
  const seen = await lookAtShims(signal);
  const steps = planShims(wanted, seen);
  if (steps.length > 0 && wanted.length > 0) requireArp();
  await carryOut(steps, signal);
}

/**
 * A parent and the MACVLAN links upon it never hear one another, but one more link upon it does. So the node gets one of its
 * own, the shim, and a route through it to each vNIC. The shim has no address: the node uses the one that it has on the parent.
 *
 * The LAN must not learn of the shim, or it would reach the node by a MAC that is not the parent's. Its neighbours are written
 * down, so that it never asks; and it answers only those to whom its routes lead (`arp_filter`), which are our vNICs.
 */
export function planShims(wanted: readonly ShimWish[], seen: ShimsSeen): Step[] {
  const shims = wanted.flatMap((wish) => shimOf(wish, seen.links) ?? []);
  const names = new Set(shims.map(({ name }) => name));
  const unwanted = seen.links.filter((link) => isShim(link, seen.links) && !names.has(link.name));
  return [
    ...unwanted.map(({ name }) => `ip link delete dev ${name}`),
    ...shims.flatMap((shim) => [...stepsForLink(shim, seen), ...stepsForVnics(shim, seen)]),
  ];
}

interface Shim {
  readonly name: string;
  readonly parent: Link;
  readonly vnics: readonly (ShimVnic & { readonly source: string })[];
}

/** None while there is nobody to talk with, or no address to talk from. */
function shimOf(wish: ShimWish, all: readonly Link[]): Shim | undefined {
  const parent = all.find(({ name }) => name === wish.parent);
  if (!parent) return undefined;
  const vnics = wish.vnics.flatMap((vnic) => {
    const source = sourceFor(vnic.address, parent);
    return source === undefined ? [] : { ...vnic, source };
  });
  return vnics.length === 0 ? undefined : { name: shimName(parent), parent, vnics };
}

/** Named by the parent's index, which fits into a name whatever the parent is called. */
export function shimName({ index }: Pick<Link, "index">): string {
  return `orch-shim${index}`;
}

function isShim({ kind, name, parentIndex }: Link, all: readonly Link[]): boolean {
  return kind === "macvlan" && all.some((one) => one.index === parentIndex && name === shimName(one));
}

/** It is set up last, so one that is up has been given all that comes before. */
function stepsForLink({ name, parent }: Shim, seen: ShimsSeen): Step[] {
  const link = seen.links.find((one) => one.name === name);
  if (link?.isUp) return [];
  return [
    ...(link ? [] : [`ip link add link ${parent.name} name ${name} type macvlan mode bridge`]),
    `ip link set dev ${name} alias ${ownAlias}`,
    `sysctl net/ipv4/conf/${name}/arp_filter=1`,
    `sysctl net/ipv6/conf/${name}/disable_ipv6=1`,
    `ip link set dev ${name} up`,
  ];
}

function stepsForVnics({ name, vnics }: Shim, seen: ShimsSeen): Step[] {
  const neighbours = seen.neighbours.filter(({ dev }) => dev === name);
  const isWanted = ({ dst }: ShimNeighbour) => vnics.some(({ address }) => address === dst);
  const isThere = ({ address, mac }: ShimVnic) =>
    neighbours.some(({ dst, lladdr }) => dst === address && lladdr === mac);
  return [
    ...neighbours.filter((one) => !isWanted(one)).map(({ dst }) => `ip neigh delete ${dst} dev ${name}`),
    ...vnics
      .filter((one) => !isThere(one))
      .map(({ address, mac }) => `ip neigh replace ${address} lladdr ${mac} dev ${name} nud permanent`),
    ...stepsForRoutes(name, vnics, seen.routes),
  ];
}

const neighbourSchema = v.object({ dst: v.string(), dev: v.string(), lladdr: v.optional(v.string()) });

async function lookAtShims(signal: AbortSignal): Promise<ShimsSeen> {
  const [all, routes, neighbours] = await Promise.all([
    links({}, signal),
    lookAtRoutes(signal),
    askIp({}, neighbourSchema, ["-4", "neigh", "show", "nud", "permanent"], signal),
  ]);
  return { links: all, routes, neighbours };
}

/** With 1 or more, a link only answers for addresses of its own, and a shim has none: giving it one would show it to the LAN. */
function requireArp(): void {
  if (readSetting("net/ipv4/conf/all/arp_ignore") === "0") return;
  const sentence =
    "the node answers ARP too strictly for host_access (net.ipv4.conf.all.arp_ignore is not 0)";
  throw failure("unavailable", `${sentence}: set it to 0, and on single interfaces instead`);
}
