import { isIPv4 } from "node:net";
import { isHostAddress, subnetOf, withoutPrefix } from "../../wire/subnet.ts";
import type { Interface } from "../picture/index.ts";
import { isLinkLocal } from "./parent.ts";

/** Whether an address without prefix is in the subnet of one with it. */
export function isInSubnetOf(address: string, other: string): boolean {
  return subnetOf(`${other}/${address.split("/")[1] ?? ""}`) === subnetOf(address);
}

/** The subnet of a parent that is followed: its first of IPv4 that a network gave it. */
export function followedSubnet({ subnets }: Pick<Interface, "subnets">): string | undefined {
  return subnets.find((subnet) => isIPv4(withoutPrefix(subnet)) && !isLinkLocal(subnet));
}

/** The address of host number `host` of a subnet, with prefix; undefined when it has no such host. */
export function hostOf(subnet: string, host: number): string | undefined {
  const [first = "", length = ""] = subnet.split("/");
  const network = first.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  if (host >= 2 ** (32 - Number(length))) return undefined;
  const value = network + host;
  const address = `${[24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join(".")}/${length}`;
  return isHostAddress(address) ? address : undefined;
}
