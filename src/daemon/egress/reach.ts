import { BlockList, isIPv4 } from "node:net";
import { subnetOf } from "../../wire/subnet.ts";

/**
 * Where clouds tell a machine about itself, its credentials among it: link-local addresses, and those that some clouds use instead.
 * Only a range that is within one of these opens it.
 */
export const metadataRanges: readonly string[] = [
  "169.254.0.0/16",
  "fe80::/10",
  "fd00:ec2::254/128", // AWS
  "100.100.100.200/32", // Alibaba
  "168.63.129.16/32", // Azure
  "192.0.0.192/32", // Oracle
];

/** IPv4 that is nobody's on the Internet (IANA's registry of special addresses, but for those of examples in documents). */
const special4 = new BlockList();
for (const [net, length] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  special4.addSubnet(net, length);
}

/** IPv6 that is the Internet's; and in it, ranges that carry an IPv4 address within: Teredo, 6to4. */
const [global6, tunnels6] = [new BlockList(), new BlockList()];
global6.addSubnet("2000::", 3, "ipv6");
tunnels6.addSubnet("2001::", 32, "ipv6");
tunnels6.addSubnet("2002::", 16, "ipv6");

/** What is open and what is closed, by ranges. */
export interface Ranges {
  open: readonly string[];
  closed: readonly string[];
}

/**
 * Whether a name may mean an address. On a range that is not the Internet's, and on a closed one, only when a range of the agent holds
 * it: whoever owns a name decides what it means, and could else point it at what is near.
 */
export function mayMean(address: string, { open, closed }: Ranges): boolean {
  const holding = [
    ...open.map((cidr) => ({ cidr, isOpen: true })),
    ...closed.map((cidr) => ({ cidr, isOpen: false })),
  ].filter(({ cidr }) => holds(cidr, address));
  const [narrowest] = holding.sort((a, b) => lengthOf(b.cidr) - lengthOf(a.cidr));
  return narrowest ? narrowest.isOpen : !isSpecial(address);
}

/** Whether a range holds an address; both are of one version of IP then. */
function holds(cidr: string, address: string): boolean {
  const isSameVersion = cidr.includes(":") === address.includes(":");
  return isSameVersion && subnetOf(`${address}/${lengthOf(cidr)}`) === subnetOf(cidr);
}

function lengthOf(cidr: string): number {
  return Number(cidr.split("/")[1]);
}

function isSpecial(address: string): boolean {
  if (isIPv4(address)) return special4.check(address);
  return !global6.check(address, "ipv6") || tunnels6.check(address, "ipv6");
}
