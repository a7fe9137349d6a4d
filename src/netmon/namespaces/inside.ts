import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { destinationOf, entriesOf, validFor } from "../ip/index.ts";
import { type Place, run } from "./run.ts";

/** What there is in a network namespace. */
export interface Inside {
  /** In the order of their indexes. */
  readonly links: readonly InsideLink[];
  /** Those of the main table, which a program follows unless it was told otherwise. */
  readonly routes: readonly InsideRoute[];
}

export interface InsideLink {
  readonly name: string;
  readonly index: number;
  /** Empty when it has none. */
  readonly mac: string;
  /** The kernel's word for its driver: `macvlan`, `veth`, ...; empty for hardware and the loopback. */
  readonly kind: string;
  /** Of a macvlan: `bridge`, `private`, ...; else empty. */
  readonly mode: string;
  readonly mtu: number;
  /** Whether it was set up; `hasCarrier` is whether something is at the other end too. */
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  /** Index of the link that it was made upon, in that link's own namespace; 0 when there is none. */
  readonly parentIndex: number;
  /** What was written on it, for people and programs; empty when nothing was. */
  readonly alias: string;
  readonly addresses: readonly InsideAddress[];
}

export interface InsideAddress {
  /** With prefix: `10.0.0.5/24`. */
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  /** One that means nothing beyond the link, as every IPv6 link has. */
  readonly isLinkLocal: boolean;
  /** Not used yet: the kernel still asks whether another station has it (IPv6 only). */
  readonly isTentative: boolean;
  /** Never used: another station has it (IPv6 only). */
  readonly isDuplicate: boolean;
  /** Until the kernel takes it away; undefined when it never does. */
  readonly validSeconds?: number;
}

export interface InsideRoute {
  /** `0.0.0.0/0`, `::/0`, or a subnet with prefix. */
  readonly destination: string;
  /** Empty when the destination is on the link itself. */
  readonly gateway: string;
  readonly device: string;
  readonly metric: number;
  /** Who made it: `kernel` with an address, `ra` by a router's advertisement, `boot` or `static` by a program. */
  readonly protocol: string;
}

/** Looks at all links, addresses and routes at once. @throws {Failure} as `run`; internal: it cannot be read. */
export async function observe(place: Place, signal: AbortSignal): Promise<Inside> {
  const input = "address show\nroute show table all type unicast\n";
  const said = await run(place, "ip", ["-json", "-details", "-batch", "-"], {
    ...{ input, signal, doing: "look at a network namespace" },
  });
  return insideOf(said);
}

/** What two lines of JSON say, the second of which is not there when there is no route. */
export function insideOf(said: string): Inside {
  try {
    const [links = "[]", routes = "[]"] = said.split("\n").filter(Boolean);
    const parsed = entriesOf(linkSchema, links);
    const indexes = new Map(parsed.map(({ ifname, ifindex }) => [ifname, ifindex]));
    return {
      links: parsed.map((link) => linkOf(link, indexes)),
      routes: entriesOf(routeSchema, routes).flatMap((route) => routeOf(route) ?? []),
    };
  } catch (cause) {
    throw failure("internal", "what ip says of a network namespace cannot be read", { cause });
  }
}

const addressSchema = v.object({
  family: v.optional(v.string()),
  local: v.optional(v.string()),
  prefixlen: v.optional(v.number(), 0),
  scope: v.optional(v.string()),
  tentative: v.optional(v.boolean(), false),
  dadfailed: v.optional(v.boolean(), false),
  valid_life_time: v.optional(v.number()),
});

const linkSchema = v.object({
  ifindex: v.number(),
  ifname: v.string(),
  flags: v.array(v.string()),
  mtu: v.optional(v.number(), 0),
  address: v.optional(v.string(), ""),
  ifalias: v.optional(v.string(), ""),
  /** The parent's name when that is in this namespace too, else its index. */
  link: v.optional(v.nullable(v.string())),
  link_index: v.optional(v.number()),
  linkinfo: v.optional(
    v.object({
      info_kind: v.optional(v.string(), ""),
      info_data: v.optional(v.looseObject({ mode: v.optional(v.unknown()) })),
    }),
  ),
  addr_info: v.optional(v.array(addressSchema), []),
});

const routeSchema = v.object({
  dst: v.string(),
  dev: v.optional(v.string()),
  gateway: v.optional(v.string()),
  /** The gateway, when it is of the other address family. */
  via: v.optional(v.object({ host: v.string() })),
  table: v.optional(v.string(), "main"),
  metric: v.optional(v.number(), 0),
  protocol: v.optional(v.string(), ""),
  /** Of IPv6 only, where every route has it. */
  pref: v.optional(v.string()),
});

type IpLink = v.InferOutput<typeof linkSchema>;
type IpAddress = v.InferOutput<typeof addressSchema>;
type IpRoute = v.InferOutput<typeof routeSchema>;

function linkOf(link: IpLink, indexes: ReadonlyMap<string, number>): InsideLink {
  const { ifname: name, ifindex: index, address: mac, mtu, ifalias: alias, flags } = link;
  const mode = link.linkinfo?.info_data?.mode;
  return {
    ...{ name, index, mac, mtu, alias },
    kind: link.linkinfo?.info_kind ?? "",
    mode: typeof mode === "string" ? mode : "",
    isUp: flags.includes("UP"),
    hasCarrier: flags.includes("UP") && flags.includes("LOWER_UP"),
    parentIndex: link.link_index ?? indexes.get(link.link ?? "") ?? 0,
    addresses: link.addr_info.flatMap((one) => addressOf(one) ?? []),
  };
}

function addressOf(one: IpAddress): InsideAddress | undefined {
  const { local, prefixlen, valid_life_time } = one;
  if (local === undefined) return undefined;
  return {
    address: `${local}/${prefixlen}`,
    family: one.family === "inet6" ? "ipv6" : "ipv4",
    isLinkLocal: one.scope === "link",
    isTentative: one.tentative && !one.dadfailed,
    isDuplicate: one.dadfailed,
    ...validFor(valid_life_time),
  };
}

function routeOf(route: IpRoute): InsideRoute | undefined {
  const { dev, gateway, via, table, metric, protocol } = route;
  if (table !== "main" || dev === undefined) return undefined;
  const destination = destinationOf(route);
  return { destination, gateway: gateway ?? via?.host ?? "", device: dev, metric, protocol };
}
