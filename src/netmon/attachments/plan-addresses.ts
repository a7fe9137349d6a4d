import { Ipv6Mode, type Vnic } from "../../../gen/edge/v1/vnics_pb.ts";
import { shortIpv6 } from "../../wire/subnet.ts";
import type { InsideAddress, InsideLink } from "../namespaces/index.ts";
import type { Ipv4 } from "./plan-ipv4.ts";
import { type Step, stepFor } from "./situation.ts";

/** Steps for the addresses of a link that is there: what comes before the routes, and what goes after them. */
export interface AddressPlan {
  readonly come: readonly Step[];
  readonly go: readonly Step[];
  /** Addresses that the link has when they are done, IPv4 first. */
  readonly addresses: readonly string[];
}

/** An address whose time the kernel has more than so many seconds wrong of is given its time anew. */
const toleranceSeconds = 5;

/**
 * Addresses of a vNIC's link are all ours: each vNIC has one of IPv4, and of IPv6 what its mode says. The new one is put on before
 * the old one goes, and one that is right is left alone, so that no connection notices.
 */
export function planAddresses(
  vnic: Vnic,
  link: InsideLink | undefined,
  { ipv4, reason }: { ipv4: Ipv4; reason: string },
): AddressPlan {
  const four = planIpv4(vnic, ofFamily(link, "ipv4"), { ipv4, reason });
  const six = planIpv6(vnic, ofFamily(link, "ipv6"));
  return {
    come: [...four.come, ...six.come],
    go: [...four.go, ...six.go],
    addresses: [...four.addresses, ...six.addresses],
  };
}

function planIpv4(
  vnic: Vnic,
  found: readonly InsideAddress[],
  { ipv4, reason }: { ipv4: Ipv4; reason: string },
): AddressPlan {
  const have = found.map(({ address }) => address);
  if (ipv4.is === "none" || (ipv4.is === "missing" && ipv4.isKept))
    return { come: [], go: [], addresses: have };
  if (ipv4.is !== "offer") return { come: [], go: removals(vnic, have, ipv4.reason), addresses: [] };
  const { address, validSeconds } = ipv4.offer;
  const there = found.find((one) => one.address === address);
  if (!there && ipv4.needsProbe) {
    // Until it is known to be free, what is there stays: it is an address of ours.
    const probe = stepFor(vnic.name, { do: "probe", address }, `${address} may be another machine's`);
    return { come: [probe], go: [], addresses: have };
  }
  const isRight = there !== undefined && isTimely(there.validSeconds, validSeconds);
  const time = validSeconds === undefined ? {} : { validSeconds };
  const come = isRight
    ? []
    : [stepFor(vnic.name, { do: "addAddress", address, ...time, isNew: !there }, reason)];
  const others = have.filter((one) => one !== address);
  return { come, go: removals(vnic, others, `${vnic.name} has ${address}`), addresses: [address] };
}

function isTimely(found: number | undefined, wanted: number | undefined): boolean {
  if (found === undefined || wanted === undefined) return found === wanted;
  return Math.abs(found - wanted) <= toleranceSeconds;
}

function planIpv6(vnic: Vnic, found: readonly InsideAddress[]): AddressPlan {
  const usable = found.filter((one) => !one.isTentative && !one.isDuplicate).map(({ address }) => address);
  // With SLAAC they are the kernel's; without IPv6 there are none.
  if (vnic.ipv6Mode !== Ipv6Mode.STATIC) return { come: [], go: [], addresses: usable };
  const address = staticIpv6(vnic);
  const others = found.map((one) => one.address).filter((one) => one !== address);
  const isThere = found.some((one) => one.address === address);
  const come = stepFor(vnic.name, { do: "addAddress", address, isNew: false }, `${vnic.name} has ${address}`);
  return {
    come: isThere ? [] : [come],
    go: removals(vnic, others, `${vnic.name} has ${address}`),
    addresses: usable.filter((one) => one === address),
  };
}

/** The static IPv6 address as the kernel writes it. */
export function staticIpv6({ ipv6Address }: Pick<Vnic, "ipv6Address">): string {
  const [host = "", length = ""] = ipv6Address.split("/");
  return `${shortIpv6(host)}/${length}`;
}

function removals({ name }: Vnic, addresses: readonly string[], reason: string): Step[] {
  return addresses.map((address) => stepFor(name, { do: "removeAddress", address }, reason));
}

function ofFamily(link: InsideLink | undefined, family: InsideAddress["family"]): InsideAddress[] {
  return (link?.addresses ?? []).filter((one) => one.family === family && !one.isLinkLocal);
}
