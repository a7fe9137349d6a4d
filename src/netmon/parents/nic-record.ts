import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { ownAlias } from "../../wire/interfaces.ts";
import { askIp, type Link, linkNamed, links } from "./links.ts";

/** A NIC as the node had it before it was given away. Plain values: whoever gives it away keeps them on disk first. */
export interface RecordedNic {
  readonly name: string;
  readonly mac: string;
  /** By which it is found again, whatever it is called then and whoever gave it another MAC. */
  readonly permanentMac: string;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly addresses: readonly RecordedAddress[];
  /** As words for ip(8), after `ip route replace`; without those that come by themselves. */
  readonly routes: readonly string[];
}

export interface RecordedAddress {
  /** With prefix. */
  readonly address: string;
  /** Wall time in milliseconds after which it is not to be used; undefined for ever. */
  readonly validUntil?: number;
}

export interface RecordOptions {
  readonly nic: string;
  /** vNICs that are made upon it, for the sentence: they are in namespaces where they cannot be seen from here. */
  readonly usedBy: readonly string[];
  /** Wall time in milliseconds. */
  readonly now: number;
}

/**
 * Looks at a NIC that is to be given away, and writes down what must come back with it.
 * @throws {Failure} not_found. conflict: the node or others need it, or it is no NIC.
 */
export async function recordNic(options: RecordOptions, signal: AbortSignal): Promise<RecordedNic> {
  const { nic, usedBy, now } = options;
  const [all, routes] = await Promise.all([links({}, signal), lookAtRoutes(nic, signal)]);
  const link = linkNamed(all, nic);
  const refusal = whyNot(link, { all, usedBy, hasDefaultRoute: routes.some(({ dst }) => dst === "default") });
  if (refusal !== undefined) throw failure("conflict", refusal);
  const { name, mac, permanentMac, mtu, isUp } = link;
  return {
    ...{ name, mac, permanentMac, mtu, isUp },
    addresses: link.addresses
      .filter(({ isLocal, isAutomatic }) => !isLocal && !isAutomatic)
      .map(({ address, validSeconds }) => ({
        address,
        ...(validSeconds !== undefined && { validUntil: now + validSeconds * 1_000 }),
      })),
    routes: routesToRecord(routes, name),
  };
}

/** Why a NIC cannot be given away, as a sentence; undefined when it can. */
export function whyNot(
  link: Link,
  node: { all: readonly Link[]; usedBy: readonly string[]; hasDefaultRoute: boolean },
): string | undefined {
  const { name } = link;
  const next = "name another NIC";
  const isNic = !link.isLoopback && (link.kind === "" || link.kind === "veth") && link.alias !== ownAlias;
  if (!isNic) return `${name} is no NIC (${link.isLoopback ? "loopback" : link.kind}): ${next}`;
  if (node.hasDefaultRoute)
    return `${name} carries the node's default route, which would be cut off: ${next}`;
  if (link.master !== "") return `${name} is a port of ${link.master}: take it out of there, or ${next}`;
  const upon = node.all.find(({ parentIndex, kind }) => parentIndex === link.index && kind !== "veth");
  if (upon) return `${upon.name} is made upon ${name}: remove it, or ${next}`;
  if (node.usedBy.length === 0) return undefined;
  return `${name} is the parent of ${node.usedBy.join(", ")}: detach that, or ${next}`;
}

/** Those whose makers would not make them again: the kernel's own come with the address, a router's with its next word. */
export function routesToRecord(routes: readonly NicRoute[], device: string): string[] {
  const kept = routes.filter(
    ({ type, protocol }) => type === "unicast" && !["kernel", "ra"].includes(protocol),
  );
  // A gateway must be reachable before a route can lead through it.
  return kept
    .toSorted((a, b) => Number(gatewayOf(a) !== "") - Number(gatewayOf(b) !== ""))
    .map((route) => {
      const { dst, protocol, scope, prefsrc, metric, table, flags } = route;
      const words = [
        [dst],
        [gatewayOf(route)],
        ["dev", device],
        ["table", table],
        ["proto", protocol],
        ["scope", scope],
        ["src", prefsrc],
        ["metric", metric],
        [flags.includes("onlink") ? "onlink" : undefined],
      ];
      const known = words.filter((pair) => pair.every((word) => word !== undefined && word !== ""));
      return known.flat().join(" ");
    });
}

export type NicRoute = v.InferOutput<typeof routeSchema>;

function gatewayOf({ gateway, via }: NicRoute): string {
  if (gateway !== undefined) return `via ${gateway}`;
  return via === undefined ? "" : `via ${via.family} ${via.host}`;
}

async function lookAtRoutes(nic: string, signal: AbortSignal): Promise<NicRoute[]> {
  const ask = (family: string) =>
    askIp({}, routeSchema, [family, "-details", "route", "show", "table", "all", "dev", nic], signal);
  return (await Promise.all([ask("-4"), ask("-6")])).flat();
}

const routeSchema = v.object({
  type: v.optional(v.string(), "unicast"),
  dst: v.string(),
  gateway: v.optional(v.string()),
  via: v.optional(v.object({ family: v.string(), host: v.string() })),
  table: v.optional(v.string()),
  protocol: v.optional(v.string(), "boot"),
  scope: v.optional(v.string()),
  prefsrc: v.optional(v.string()),
  metric: v.optional(v.number()),
  flags: v.optional(v.array(v.string()), []),
});
