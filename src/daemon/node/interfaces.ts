import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { create } from "@bufbuild/protobuf";
import { type GetInterfacesResponse, GetInterfacesResponseSchema } from "../../../gen/edge/v1/node_pb.ts";
import { subnetsOf } from "../../wire/subnet.ts";
import { readOwnLinks } from "./links.ts";
import type { Roots } from "./roots.ts";

type Addresses = NodeJS.Dict<Pick<NetworkInterfaceInfo, "cidr">[]>;

/**
 * The machine's own interfaces with their addresses and gateways. Addresses of an interface that is down or without a
 * carrier are not among them: the call that Node makes leaves them out. Netmon's picture has them.
 */
export function readInterfaces(
  roots: Roots,
  addresses: Addresses = networkInterfaces(),
): GetInterfacesResponse {
  const interfaces = readOwnLinks(roots).map(
    ({ isLoopback, masterIndex, hasParentHere, carriesDefaultRoute, alias, ...link }) => {
      const own = addressesOf(link.name, addresses);
      return { ...link, addresses: own, subnets: subnetsOf(own) };
    },
  );
  return create(GetInterfacesResponseSchema, { interfaces });
}

/** IPv4 first, else in the kernel's order. An address with a label comes under `eth0:label`. */
function addressesOf(name: string, addresses: Addresses): string[] {
  return Object.entries(addresses)
    .filter(([key]) => key === name || key.startsWith(`${name}:`))
    .flatMap(([, list]) => list?.flatMap(({ cidr }) => cidr ?? []) ?? [])
    .sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}
