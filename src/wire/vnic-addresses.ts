import { isIP, isIPv4, isIPv6 } from "node:net";
import { AddressMode, Ipv6Mode, type Vnic } from "../../gen/edge/v1/vnics_pb.ts";
import { quoted } from "../base/evidence.ts";
import { isHostAddress, subnetOf } from "./subnet.ts";

/** Told of one field of a vNIC, and what is wrong with it. */
type Tell = (field: string, message: string) => void;

/** Whether the IPv4 fields go together. */
export function wrongIpv4(vnic: Vnic, wrong: Tell): void {
  const { addressMode, address, host, gateway, dnsServers } = vnic;
  const isStatic = addressMode === AddressMode.STATIC;
  const isFollow = addressMode === AddressMode.FOLLOW;
  if (isStatic && address === "")
    wrong("address", "is required with a static address, as in 192.168.1.50/24");
  if (isStatic) wrongAddress("", { address, gateway, isIp: isIPv4 }, wrong);
  else {
    if (address !== "") wrong("address", "is given, and the address mode is not static");
    if (gateway !== "") wrong("gateway", "is given, and the address mode is not static");
  }
  if (isFollow && host === 0)
    wrong("host", "is required when the subnet of the parent is followed, as in 50");
  if (!isFollow && host !== 0) wrong("host", "is given, and the subnet of the parent is not followed");
  if (dnsServers.length > 0 && !isStatic && !isFollow) {
    wrong("dns_servers", "are given, and the address mode is neither static nor follow");
  }
  for (const [index, server] of dnsServers.entries()) {
    if (/^[0-9a-f.:]+$/.test(server) && isIP(server) === 0) {
      wrong(`dns_servers[${index}]`, `${quoted(server)} is not an IP address`);
    }
  }
}

/** Whether the IPv6 fields go together. */
export function wrongIpv6(vnic: Vnic, wrong: Tell): void {
  const { ipv6Mode, ipv6Address: address, ipv6Gateway: gateway } = vnic;
  if (ipv6Mode === Ipv6Mode.STATIC) {
    if (address === "") wrong("ipv6_address", "is required with a static IPv6 address, as in fd77::50/64");
    wrongAddress("ipv6_", { address, gateway, isIp: isIPv6 }, wrong);
    return;
  }
  if (address !== "") wrong("ipv6_address", "is given, and the IPv6 mode is not static");
  if (gateway !== "") wrong("ipv6_gateway", "is given, and the IPv6 mode is not static");
}

interface Static {
  address: string;
  gateway: string;
  isIp: (text: string) => boolean;
}

/** A static address that a machine can have, and a gateway that it can reach. What is no address at all has a rule of its own. */
function wrongAddress(prefix: "" | "ipv6_", { address, gateway, isIp }: Static, wrong: Tell): void {
  const [host = "", length = ""] = address.split("/");
  const isHost = isIp(host) && isHostAddress(address);
  if (/^[0-9a-f.:]+\/[0-9]+$/.test(address) && !isHost) {
    const why = isIp(host) ? "no machine of its subnet can have it" : "it is not an address";
    wrong(`${prefix}address`, `${quoted(address)}: ${why}`);
  }
  if (!/^[0-9a-f.:]+$/.test(gateway)) return;
  if (!isIp(gateway)) wrong(`${prefix}gateway`, `${quoted(gateway)} is not an address`);
  else if (isHost && gateway === host) wrong(`${prefix}gateway`, "is the address itself");
  else if (isHost && !isReachable(gateway, address, length)) {
    wrong(`${prefix}gateway`, `${gateway} is not a machine of ${subnetOf(address) ?? ""}`);
  }
}

/** Within the subnet, or, of IPv6, on the link. */
function isReachable(gateway: string, address: string, length: string): boolean {
  if (subnetOf(`${gateway}/10`) === "fe80::/10") return true;
  return isHostAddress(`${gateway}/${length}`) && subnetOf(`${gateway}/${length}`) === subnetOf(address);
}
