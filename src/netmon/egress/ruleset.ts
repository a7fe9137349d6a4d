import { isIPv4 } from "node:net";
import type { EgressRange, GuardEgressRequest } from "../../../gen/edge/v1/netmon_pb.ts";

/** Our table in a guarded namespace, as nft names it. */
export const table = "inet orchestrator_egress";

/** Sets of addresses that names mean, by the version of IP: address, protocol, port. */
export const namesOf = { ipv4: "names4", ipv6: "names6" } as const;

/** Destinations beyond these are counted together. */
const [mostDenied, mostNames] = [1024, 4096];

/** What one namespace may send to the resolver, and begin: the program that answers all, and the node's table of connections, are finite. */
const mostQuestions = "200/second burst 400 packets";
const mostConnections = "200/second burst 1000 packets";

/** What a namespace is to be closed but for, checked: addresses and ranges as the kernel writes them. */
export type Guard = Pick<GuardEgressRequest, "ranges" | "closed"> & {
  resolver: { address: string; port: number; knownAs: string };
};

/**
 * The rules for nft(8), which takes them all or none. What is denied is told to the program at once: a reset of TCP, the error of
 * a send for the rest. 127.0.0.11 is the engine's own name server in a namespace, which would carry any question out; it is closed before
 * the engine sends its port elsewhere. A packet with options of IP (such as a way that it would take) is none of a program of ours.
 */
export function rulesetOf({ resolver, ranges, closed }: Guard): string {
  const { address, port, knownAs } = resolver;
  return `table ${table}
delete table ${table}
table ${table} {
  set ${namesOf.ipv4} { type ipv4_addr . inet_proto . inet_service; flags timeout; size ${mostNames}; }
  set ${namesOf.ipv6} { type ipv6_addr . inet_proto . inet_service; flags timeout; size ${mostNames}; }
  set denied4 { type ipv4_addr . inet_proto . inet_service; flags dynamic; size ${mostDenied}; counter; }
  set denied6 { type ipv6_addr . inet_proto . inet_service; flags dynamic; size ${mostDenied}; counter; }
  set portless4 { type ipv4_addr . inet_proto; flags dynamic; size ${mostDenied}; counter; }
  set portless6 { type ipv6_addr . inet_proto; flags dynamic; size ${mostDenied}; counter; }
  counter others { }
  chain resolver {
    type nat hook output priority -110; policy accept;
    ip daddr ${knownAs} udp dport 53 dnat ip to ${address}:${port}
    ip daddr ${knownAs} tcp dport 53 dnat ip to ${address}:${port}
  }
  chain engine {
    type filter hook output priority -150; policy accept;
    ip daddr 127.0.0.11 goto denied
  }
  chain output {
    type filter hook output priority 0; policy drop;
    oif lo accept
    ip daddr ${address} udp dport ${port} limit rate ${mostQuestions} accept
    ip daddr ${address} tcp dport ${port} limit rate ${mostQuestions} accept
    ip daddr ${address} udp dport ${port} goto hasty
    ct state established,related accept
    ct state invalid drop
    ip hdrlength > 5 goto denied
    ct state new limit rate over ${mostConnections} goto hasty
    ip daddr . meta l4proto . th dport @${namesOf.ipv4} accept
    ip6 daddr . meta l4proto . th dport @${namesOf.ipv6} accept
${[...verdicts(ranges, closed)].map((rule) => `    ${rule}`).join("\n")}
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    icmpv6 type { nd-router-solicit, mld-listener-report, mld-listener-reduction, mld2-listener-report } drop
    goto denied
  }
  chain denied {
    meta l4proto { tcp, udp } add @denied4 { ip daddr . meta l4proto . th dport } goto refused
    meta l4proto { tcp, udp } add @denied6 { ip6 daddr . meta l4proto . th dport } goto refused
    meta l4proto != { tcp, udp } add @portless4 { ip daddr . meta l4proto } goto refused
    meta l4proto != { tcp, udp } add @portless6 { ip6 daddr . meta l4proto } goto refused
    goto hasty
  }
  chain hasty {
    counter name others goto refused
  }
  chain refused {
    meta l4proto tcp reject with tcp reset
    reject with icmpx admin-prohibited
  }
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
  }
}
`;
}

/** The narrowest first, so that it decides; of the same range, that it is open. */
function* verdicts(ranges: readonly EgressRange[], closed: readonly string[]): Generator<string> {
  const open = ranges.map(({ cidr, tcpPorts, udpPorts }) => ({ cidr, tcpPorts, udpPorts, isOpen: true }));
  const shut = closed.map((cidr) => ({ cidr, tcpPorts: [], udpPorts: [], isOpen: false }));
  const length = ({ cidr }: { cidr: string }) => Number(cidr.split("/")[1]);
  for (const { cidr, tcpPorts, udpPorts, isOpen } of [...open, ...shut].sort(
    (a, b) => length(b) - length(a),
  )) {
    const to = `${isIPv4(cidr.replace(/\/.*/, "")) ? "ip" : "ip6"} daddr ${cidr}`;
    if (!isOpen) yield `${to} goto denied`;
    if (tcpPorts.length > 0) yield `${to} tcp dport { ${tcpPorts.join(", ")} } accept`;
    if (udpPorts.length > 0) yield `${to} udp dport { ${udpPorts.join(", ")} } accept`;
  }
}

/** Addresses that a name means, with ports; for a time. */
export interface Opening {
  addresses: readonly string[];
  tcpPorts: readonly number[];
  udpPorts: readonly number[];
  seconds: number;
}

/**
 * Opens, as changes for nft(8). The kernel does not lengthen the time of what is in a set already; within one transaction, what
 * is taken out and put in again is never missing.
 */
export function openingOf({ addresses, tcpPorts, udpPorts, seconds }: Opening): string {
  const ports = [
    ...[...new Set(tcpPorts)].map((port) => `tcp . ${port}`),
    ...[...new Set(udpPorts)].map((port) => `udp . ${port}`),
  ];
  const lines = [...new Set(addresses)].flatMap((address) => {
    const set = isIPv4(address) ? namesOf.ipv4 : namesOf.ipv6;
    return ports.flatMap((port) => {
      const element = (more = "") => `element ${table} ${set} { ${address} . ${port}${more} }`;
      return [`add ${element()}`, `delete ${element()}`, `add ${element(` timeout ${seconds}s`)}`];
    });
  });
  return lines.map((line) => `${line}\n`).join("");
}
