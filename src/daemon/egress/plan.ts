import { create } from "@bufbuild/protobuf";
import type { AgentNetwork, EgressRule } from "../../../gen/edge/v1/agents_pb.ts";
import {
  EgressRangeSchema,
  type GuardEgressRequest,
  GuardEgressRequestSchema,
} from "../../../gen/edge/v1/netmon_pb.ts";
import type { CellNetwork } from "../sandbox/index.ts";
import { metadataRanges } from "./reach.ts";

/** The name server that cells know. It is nobody's address: what they send to it gets to the resolver, wherever that is. */
export const nameServer = "169.254.53.53";

/** What is meant by a rule without ports. */
const usualPort = 443;

/** Where a cell's namespace is: on the node's network of cells. */
export type OnBridge = NonNullable<CellNetwork["onBridge"]>;

/** Ports of rules together, each once. */
export function portsOf(rules: readonly EgressRule[]): { tcpPorts: number[]; udpPorts: number[] } {
  const ports = ({ ports }: EgressRule) => (ports.length === 0 ? [usualPort] : ports);
  return {
    tcpPorts: [...new Set(rules.flatMap(ports))],
    udpPorts: [...new Set(rules.filter(({ udp }) => udp).flatMap(ports))],
  };
}

/** What netmon is asked to close a namespace but for. */
export function guardOf(
  { allow }: AgentNetwork,
  { holderId, onBridge, port }: { holderId: string; onBridge: OnBridge; port: number },
): GuardEgressRequest {
  const ranges = allow.filter(({ cidr }) => cidr !== "");
  return create(GuardEgressRequestSchema, {
    containerId: holderId,
    resolver: { address: onBridge.gateway, port, knownAs: nameServer },
    ranges: ranges.map((rule) => create(EgressRangeSchema, { cidr: rule.cidr, ...portsOf([rule]) })),
    closed: [onBridge.subnet, onBridge.subnet6 ?? [], metadataRanges].flat(),
  });
}
