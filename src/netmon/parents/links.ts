import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { entriesOf, validFor } from "../ip/index.ts";
import { type Place, run } from "../namespaces/index.ts";

/** A link as whoever makes others upon it must know it. */
export interface Link {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  /** That of the hardware, which stays when somebody gives it another one. */
  readonly permanentMac: string;
  /** The kernel's word for its driver; empty for hardware and the loopback. */
  readonly kind: string;
  readonly isLoopback: boolean;
  readonly isUp: boolean;
  readonly mtu: number;
  /** Index of the link of this namespace that it was made upon; 0 when there is none. */
  readonly parentIndex: number;
  /** Index of the other end, in another namespace, of a pair; 0 when there is none. */
  readonly farIndex: number;
  /** The bridge or bond whose port it is; empty when it is none. */
  readonly master: string;
  /** Of a VLAN sub-interface; else 0. */
  readonly vlanId: number;
  readonly alias: string;
  readonly addresses: readonly LinkAddress[];
}

export interface LinkAddress {
  /** With prefix. */
  readonly address: string;
  readonly isIpv6: boolean;
  /** Means nothing beyond the link, or the machine. */
  readonly isLocal: boolean;
  /** Made by the kernel from a router's advertisement. */
  readonly isAutomatic: boolean;
  /** Until the kernel takes it away; undefined when it never does. */
  readonly validSeconds?: number;
}

/** The links of a network namespace. */
export async function links(place: Place, signal: AbortSignal): Promise<Link[]> {
  const found = await askIp(place, linkSchema, ["-details", "address", "show"], signal);
  const indexes = new Map(found.map(({ ifname, ifindex }) => [ifname, ifindex]));
  return found.map((link) => ({
    ...{ name: link.ifname, index: link.ifindex, mac: link.address, mtu: link.mtu, alias: link.ifalias },
    permanentMac: link.permaddr ?? link.address,
    kind: link.linkinfo?.info_kind ?? "",
    isLoopback: link.flags.includes("LOOPBACK"),
    isUp: link.flags.includes("UP"),
    parentIndex: indexes.get(link.link ?? "") ?? 0,
    farIndex: link.link_index ?? 0,
    master: link.master ?? "",
    vlanId: link.linkinfo?.info_data?.id ?? 0,
    addresses: link.addr_info.flatMap((one) => addressOf(one) ?? []),
  }));
}

/** @throws {Failure} not_found: no link of the node has this name now. */
export function linkNamed(all: readonly Link[], name: string): Link {
  const link = all.find((one) => one.name === name);
  if (link === undefined) throw failure("not_found", `there is no interface ${name} on this node`);
  return link;
}

/** The IPv4 addresses by which others reach the node through a link. */
export function ipv4Of({ addresses }: Link): string[] {
  return addresses.flatMap(({ address, isIpv6, isLocal }) => (isIpv6 || isLocal ? [] : address));
}

/** Asks ip(8) and checks its answer. */
export async function askIp<T>(
  place: Place,
  schema: v.GenericSchema<unknown, T>,
  args: readonly string[],
  signal: AbortSignal,
): Promise<T[]> {
  const said = await run(place, "ip", ["-json", ...args], { signal, doing: "look at the links" });
  try {
    return entriesOf(schema, said);
  } catch (cause) {
    throw failure("internal", `what \`ip ${args.join(" ")}\` says cannot be read`, { cause });
  }
}

const addressSchema = v.object({
  family: v.optional(v.string()),
  local: v.optional(v.string()),
  prefixlen: v.optional(v.number(), 0),
  scope: v.optional(v.string(), "global"),
  mngtmpaddr: v.optional(v.boolean(), false),
  temporary: v.optional(v.boolean(), false),
  dynamic: v.optional(v.boolean(), false),
  valid_life_time: v.optional(v.number()),
});

const linkSchema = v.object({
  ifindex: v.number(),
  ifname: v.string(),
  flags: v.array(v.string()),
  mtu: v.optional(v.number(), 0),
  address: v.optional(v.string(), ""),
  permaddr: v.optional(v.string()),
  ifalias: v.optional(v.string(), ""),
  link: v.optional(v.nullable(v.string())),
  link_index: v.optional(v.number()),
  master: v.optional(v.string()),
  linkinfo: v.optional(
    v.object({
      info_kind: v.optional(v.string(), ""),
      info_data: v.optional(v.looseObject({ id: v.optional(v.number()) })),
    }),
  ),
  addr_info: v.optional(v.array(addressSchema), []),
});

function addressOf(one: v.InferOutput<typeof addressSchema>): LinkAddress | undefined {
  const { local, prefixlen, scope, valid_life_time } = one;
  if (local === undefined) return undefined;
  const isIpv6 = one.family === "inet6";
  return {
    ...{ address: `${local}/${prefixlen}`, isIpv6, isLocal: scope === "link" || scope === "host" },
    isAutomatic: isIpv6 && (one.mngtmpaddr || one.temporary || one.dynamic),
    ...validFor(valid_life_time),
  };
}
