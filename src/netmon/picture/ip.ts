import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { entriesOf } from "../ip/index.ts";

/** What we use of what `ip -json -details address show` says of a link. */
const linkSchema = v.object({
  ifindex: v.number(),
  ifname: v.string(),
  flags: v.array(v.string()),
  mtu: v.optional(v.number(), 0),
  operstate: v.optional(v.string(), "UNKNOWN"),
  /** `ether`, `loopback`, `none`, ... */
  link_type: v.optional(v.string()),
  /** The MAC address. Point-to-point links have none, or another kind. */
  address: v.optional(v.string(), ""),
  ifalias: v.optional(v.string()),
  /** Name of the bridge or bond whose port it is. */
  master: v.optional(v.string()),
  /** Name of the link that it points at, when that is in this network namespace: its parent, or a veth's far end. */
  link: v.optional(v.string()),
  linkinfo: v.optional(v.object({ info_kind: v.optional(v.string()) })),
  addr_info: v.optional(
    v.array(v.object({ local: v.optional(v.string()), prefixlen: v.optional(v.number()) })),
    [],
  ),
});

const hop = {
  dev: v.optional(v.string()),
  gateway: v.optional(v.string()),
  /** The gateway, when it is of the other address family. */
  via: v.optional(v.object({ host: v.string() })),
};

/** What we use of what `ip -json -details route show` says of a route. */
const routeSchema = v.object({
  ...hop,
  /** `10.0.0.0/8`, `default`, or the address of one host. */
  dst: v.string(),
  table: v.optional(v.string(), "main"),
  metric: v.optional(v.number(), 0),
  /** Of IPv6 only, where every route has it. */
  pref: v.optional(v.string()),
  nexthops: v.optional(v.array(v.object(hop)), []),
});

export type IpLink = v.InferOutput<typeof linkSchema>;
export type IpRoute = v.InferOutput<typeof routeSchema>;

/** Every link of this network namespace with its addresses. @throws {Failure} unavailable: ip(8) does not tell. */
export function askLinks(signal: AbortSignal): Promise<IpLink[]> {
  return ask(linkSchema, ["address", "show"], signal);
}

/**
 * The machine's own routes of both families: those of policies are in other tables, and those that refuse lead nowhere. Asked for
 * at once, because a kernel without IPv6 answers the question for its routes with others, or not at all.
 * @throws {Failure} unavailable: ip(8) does not tell.
 */
export async function askRoutes(signal: AbortSignal): Promise<IpRoute[]> {
  const all = await ask(routeSchema, ["route", "show", "table", "all", "type", "unicast"], signal);
  return all.filter(({ table }) => table === "main");
}

/** The kernel answers at once; a machine that is swapping may take its time. */
const timeoutMs = 10_000;
/** A thousand links are a megabyte. */
const maxBuffer = 64 << 20;

async function ask<T>(
  schema: v.GenericSchema<unknown, T>,
  args: readonly string[],
  signal: AbortSignal,
): Promise<T[]> {
  try {
    const all = ["-json", "-details", ...args];
    const { stdout } = await promisify(execFile)("ip", all, { signal, maxBuffer, timeout: timeoutMs });
    return entriesOf(schema, stdout);
  } catch (cause) {
    signal.throwIfAborted();
    throw asUnavailable(cause, `ip ${args.join(" ")}`);
  }
}

/** Programs that are asked, and what brings them. */
const packages = { ip: "iproute2", setpriv: "util-linux" };

/** What went wrong with ip(8), with the next step. @param missing the program that was started, or is known not to be there. */
export function asUnavailable(cause: unknown, asked: string, missing: keyof typeof packages = "ip") {
  const sentence =
    systemCode(cause) === "ENOENT"
      ? `the program ${missing} is not here: install ${packages[missing]}`
      : `\`${asked}\` gave no answer that can be read: the log has it`;
  return failure("unavailable", sentence, { cause });
}
