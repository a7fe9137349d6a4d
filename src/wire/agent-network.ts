import { isIP } from "node:net";
import type { AgentNetwork } from "../../gen/edge/v1/agents_pb.ts";
import { harmless } from "../base/evidence.ts";
import type { FieldViolation } from "../base/failure.ts";
import { subnetOf } from "./subnet.ts";

/**
 * What the rules of the contract cannot say of where an agent may connect to. Every violation at once; `path` is where it stands, as
 * in `spec.network`.
 */
export function wrongAgentNetwork(network: AgentNetwork | undefined, path: string): FieldViolation[] {
  return (network?.allow ?? []).flatMap(({ host, cidr }, index) => {
    const at = `${path}.allow[${index}]`;
    if (host === "" && cidr === "") return [{ field: at, message: "needs a host or a cidr" }];
    if (host !== "" && cidr !== "") {
      return [{ field: `${at}.cidr`, message: "is given beside host: make two entries of them" }];
    }
    if (isIP(host) !== 0) {
      return [{ field: `${at}.host`, message: `is an address: write cidr: ${harmless(host)}/32 instead` }];
    }
    const range = subnetOf(cidr);
    if (cidr === "" || range === cidr) return [];
    const meant = range === undefined ? "a range such as 10.20.0.0/16 or fd00::/8" : range;
    return [{ field: `${at}.cidr`, message: `${harmless(cidr)} must be ${meant}` }];
  });
}
