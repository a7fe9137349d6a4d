/** Links of a node as a plan sees them. */
import type { Link } from "../../../src/netmon/parents/links.ts";

export function link(some: Partial<Link> & Pick<Link, "name" | "index">): Link {
  const mac = `02:00:00:00:00:${some.index.toString(16).padStart(2, "0")}`;
  return {
    ...{ mac, permanentMac: some.mac ?? mac, kind: "", mtu: 1500, parentIndex: 0, farIndex: 0, vlanId: 0 },
    ...{ isLoopback: false, isUp: true, master: "", alias: "", addresses: [] },
    ...some,
  };
}

export function address(text: string) {
  return { address: text, isIpv6: text.includes(":"), isLocal: false, isAutomatic: false };
}
