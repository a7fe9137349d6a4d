import { ownAlias } from "../../wire/interfaces.ts";
import { type Filter, type Passage, stepsForPassages } from "./firewall.ts";
import type { Link } from "./links.ts";
import { isProxyLink, type ProxyOwner, proxyName } from "./proxy-link.ts";
import { type HostRoute, sourceFor, stepsForRoutes } from "./routes.ts";
import type { Step } from "./steps.ts";

/** A vNIC for which the node answers ARP on its parent. */
export interface ProxyWish extends ProxyOwner {
  readonly parent: string;
  /** IPv4, without prefix; undefined while it has none. */
  readonly address: string | undefined;
}

/** What a plan for proxied vNICs looks at. */
export interface ProxiesSeen {
  readonly links: readonly Link[];
  readonly routes: readonly HostRoute[];
  /** Addresses for which the node answers ARP. */
  readonly proxied: readonly Proxied[];
  readonly filters: readonly Filter[];
  /** Whether IPv4 packets that come in by a link are forwarded; `all` is the node's own switch. */
  isForwarding(link: string): boolean;
}

/** `protocol` is who made it, which for the kernel is any number. */
export interface Proxied {
  readonly dst: string;
  readonly dev: string;
  readonly protocol: string;
}

/**
 * How an address is marked that we made the node answer for. It is written before all else and removed last, so that it tells what
 * there is to undo, also after a crash and when the container took its link along. The second says besides that the parent did not
 * forward before.
 */
export const marks = { usual: "211", parentWasOff: "212" } as const;

/** A wish whose link and parent are there. */
interface Proxy extends ProxyWish {
  readonly link: Link;
  readonly upon: Link;
}

/**
 * The node forwards between each vNIC's link and its parent, and answers ARP on both sides for the other: on the parent for this
 * one address; to the container for whatever the node can reach, so that it finds its gateway and its neighbours as on a LAN.
 */
export function planProxies(wanted: readonly ProxyWish[], seen: ProxiesSeen): Step[] {
  const proxies = wanted.flatMap((wish) => proxyOf(wish, seen.links) ?? []);
  const names = new Set(wanted.map(proxyName));
  const gone = seen.links.filter((link) => isProxyLink(link) && !names.has(link.name));
  const addressed = proxies.flatMap(({ link, upon, address }) =>
    address === undefined ? [] : { device: link.name, parent: upon.name, address },
  );
  return [
    ...gone.map(({ name }) => `ip link delete dev ${name}`),
    ...stepsToAnswer(addressed, seen),
    ...proxies.flatMap((proxy) => stepsForLink(proxy, seen)),
    ...stepsForPassages(passagesOf(addressed), seen.filters),
    ...stepsToForget(addressed, seen),
  ];
}

function proxyOf(wish: ProxyWish, all: readonly Link[]): Proxy | undefined {
  const link = all.find((one) => isProxyLink(one) && one.name === proxyName(wish));
  const upon = all.find(({ name }) => name === wish.parent);
  return link && upon && { ...wish, link, upon };
}

/** It is set up last, so one that is up has been given what comes before; but that forwarding is on can be undone by anybody. */
function stepsForLink({ link, upon, address }: Proxy, seen: ProxiesSeen): Step[] {
  const { name } = link;
  const routes = address === undefined ? [] : [{ address, source: sourceFor(address, upon) }];
  return [
    ...(link.alias === ownAlias ? [] : [`ip link set dev ${name} alias ${ownAlias}`]),
    ...(seen.isForwarding(name) ? [] : [`sysctl net/ipv4/conf/${name}/forwarding=1`]),
    ...(link.isUp ? [] : stepsToRaise(name)),
    ...stepsForRoutes(name, routes, seen.routes),
  ];
}

function stepsToRaise(name: string): Step[] {
  return [
    `sysctl net/ipv4/conf/${name}/proxy_arp=1`,
    // An answer for another is delayed by up to 0.8 s, so that the other may be faster. Here there is no other.
    `sysctl net/ipv4/neigh/${name}/proxy_delay=0`,
    `sysctl net/ipv6/conf/${name}/disable_ipv6=1`,
    `ip link set dev ${name} up`,
  ];
}

interface Answer {
  readonly device: string;
  readonly parent: string;
  readonly address: string;
}

/** With the parent's LAN, and with one another upon the same parent, as on a LAN. */
function passagesOf(answers: readonly Answer[]): Passage[] {
  return answers.flatMap(({ device, parent, address }, at) => {
    const others = answers.slice(at + 1).filter((one) => one.parent === parent);
    return [parent, ...others.map((one) => one.device)].map((other) => ({ device, other, address }));
  });
}

function stepsToAnswer(answers: readonly Answer[], seen: ProxiesSeen): Step[] {
  const parents = new Set(answers.map(({ parent }) => parent));
  return [...parents].flatMap((parent) => {
    const mark = markFor(parent, seen);
    const missing = answers.filter((one) => one.parent === parent && !isAnswered(one, mark, seen));
    return [
      ...missing.map(({ address }) => `ip neigh replace proxy ${address} dev ${parent} protocol ${mark}`),
      ...(seen.isForwarding(parent) ? [] : [`sysctl net/ipv4/conf/${parent}/forwarding=1`]),
    ];
  });
}

/** All addresses on one parent bear the same mark, so that whichever goes last remembers. */
function markFor(parent: string, seen: ProxiesSeen): string {
  const remembers = seen.proxied.some(
    ({ dev, protocol }) => dev === parent && protocol === marks.parentWasOff,
  );
  return remembers || !seen.isForwarding(parent) ? marks.parentWasOff : marks.usual;
}

/** An administrator's own entry answers as well, and stays theirs. */
function isAnswered({ parent, address }: Answer, mark: string, { proxied }: ProxiesSeen): boolean {
  const entry = proxied.find(({ dst, dev }) => dst === address && dev === parent);
  return entry !== undefined && (entry.protocol === mark || !isMarked(entry));
}

/** A parent that did not forward is put back when its last address goes, unless the node as a whole forwards by now. */
function stepsToForget(answers: readonly Answer[], seen: ProxiesSeen): Step[] {
  const isWanted = ({ dst, dev }: Proxied) =>
    answers.some(({ parent, address }) => address === dst && parent === dev);
  const unwanted = seen.proxied.filter((one) => isMarked(one) && !isWanted(one));
  const off = unwanted.flatMap(({ dev, protocol }) => (protocol === marks.parentWasOff ? dev : []));
  const unused = [...new Set(off)].filter((dev) => answers.every(({ parent }) => parent !== dev));
  return [
    ...unused
      .filter((dev) => seen.isForwarding(dev) && !seen.isForwarding("all"))
      .map((dev) => `sysctl net/ipv4/conf/${dev}/forwarding=0`),
    ...unwanted.map(({ dst, dev }) => `ip neigh delete proxy ${dst} dev ${dev}`),
  ];
}

export function isMarked({ protocol }: Proxied): boolean {
  return protocol === marks.usual || protocol === marks.parentWasOff;
}
