import { BlockList, isIP } from "node:net";

/** Where a name must never lead: to the node itself, to a cloud's metadata, to everybody. */
const never = new BlockList();
never.addSubnet("0.0.0.0", 8);
never.addSubnet("127.0.0.0", 8);
never.addSubnet("169.254.0.0", 16);
never.addSubnet("224.0.0.0", 3);
never.addAddress("::", "ipv6");
never.addAddress("::1", "ipv6");
never.addSubnet("fe80::", 10, "ipv6");
never.addSubnet("ff00::", 8, "ipv6");

/**
 * Whether a request to an upstream may go to this address. A manifest that names an address, or `localhost`, means it, and policy
 * has judged it; what a name of DNS leads to was said by somebody else. Private ranges are where a plant's own services are.
 */
export function mayLeadTo(host: string, address: string): boolean {
  const named = host.replace(/^\[|\]$/g, "");
  if (isIP(named) !== 0 || named === "localhost") return true;
  return !never.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
