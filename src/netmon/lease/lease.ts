import { isIPv4 } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { subnetOf, withoutPrefix } from "../../wire/subnet.ts";

/** What a DHCP server gave. Times are wall time in milliseconds, since a lease is kept over restarts of the machine. */
export interface DhcpLease {
  /** With prefix, as in `192.168.1.50/24`. */
  address: string;
  /** In the server's order; of a server that sends classless routes, only their default gateway (RFC 3442). */
  gateways: string[];
  dnsServers: string[];
  /** Empty when the server names none. */
  domain: string;
  /** The server's address; empty when it does not say. */
  server: string;
  leaseSeconds: number;
  /** When this address was first given. */
  boundAt: number;
  /** When it was last confirmed. */
  renewedAt: number;
  /** When it ends unless it is renewed. */
  expiresAt: number;
  /** The classless routes of option 121, the default route among them; one without gateway is on the link. */
  routes: { destination: string; gateway: string }[];
  /** 0 when the server names none. */
  mtu: number;
}

/** What udhcpc takes when the server does not say how long. */
const unsaidSeconds = 3_600;

/**
 * Reads the environment that udhcpc gives its script, at the time that it did. What is malformed in it is left out; undefined
 * when there is no address that a station can have.
 */
export function leaseFrom(values: ReadonlyMap<string, string>, at: number): DhcpLease | undefined {
  const value = (name: string) => values.get(name) ?? "";
  const ip = value("ip");
  if (!isStation(ip)) return undefined;
  const stations = (name: string) => value(name).split(/\s+/).filter(isStation);
  const routes = routesIn(value("staticroutes") || value("msstaticroutes"));
  const defaults = routes.flatMap(({ destination, gateway }) =>
    destination === "0.0.0.0/0" ? [gateway] : [],
  );
  const leaseSeconds = numberIn(value("lease"), 1, 0xffff_ffff) ?? unsaidSeconds;
  return {
    address: `${ip}/${prefixIn(value("mask")) ?? prefixIn(value("subnet")) ?? classPrefix(ip)}`,
    gateways: routes.length > 0 ? defaults.filter(isStation) : stations("router"),
    dnsServers: stations("dns"),
    domain: /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(value("domain")) ? value("domain") : "",
    server: stations("serverid")[0] ?? "",
    leaseSeconds,
    ...{ boundAt: at, renewedAt: at, expiresAt: at + leaseSeconds * 1_000 },
    routes,
    mtu: numberIn(value("mtu"), 68, 65_535) ?? 0,
  };
}

/** What of a lease matters to its station, for people; its times and who gave it do not. */
const matters = {
  address: "another address",
  gateways: "another gateway",
  dnsServers: "other name servers",
  domain: "another domain",
  routes: "other routes",
  mtu: "another MTU",
} as const satisfies Partial<Record<keyof DhcpLease, string>>;

/** What of it is another, for people. Empty when one lease is as good as the other. */
export function differences(one: DhcpLease, other: DhcpLease): string[] {
  const keys = Object.keys(matters) as (keyof typeof matters)[];
  return keys.filter((key) => !isDeepStrictEqual(one[key], other[key])).map((key) => matters[key]);
}

/** An address of one station: not nobody's, not the loopback's, not of a group. */
function isStation(address: string): boolean {
  const first = Number(address.split(".")[0]);
  return isIPv4(address) && first > 0 && first < 224 && first !== 127;
}

function numberIn(text: string, least: number, most: number): number | undefined {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

/** Of `24` as of `255.255.255.0`: which of them udhcpc says depends on who built it. */
function prefixIn(text: string): number | undefined {
  if (!isIPv4(text)) return numberIn(text, 1, 32);
  const bits = text.split(".").map((byte) => Number(byte).toString(2).padStart(8, "0"));
  const [, ones] = /^(1+)0*$/.exec(bits.join("")) ?? [];
  return ones?.length;
}

/** Of the address itself, as stations did before there were masks: a server that sends none means this. */
function classPrefix(ip: string): number {
  const first = Number(ip.split(".")[0]);
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}

/** Pairs such as `10.1.0.0/16 10.77.0.9 0.0.0.0/0 10.77.0.1`. */
function routesIn(text: string): DhcpLease["routes"] {
  const words = text.split(/\s+/).filter(Boolean);
  const pairs = Array.from({ length: Math.floor(words.length / 2) }, (_, at) =>
    words.slice(2 * at, 2 * at + 2),
  );
  return pairs.flatMap(([to = "", gateway = ""]) => {
    const destination = isIPv4(withoutPrefix(to)) ? subnetOf(to) : undefined;
    if (destination === undefined) return [];
    if (gateway === "0.0.0.0") return [{ destination, gateway: "" }];
    return isStation(gateway) ? [{ destination, gateway }] : [];
  });
}
