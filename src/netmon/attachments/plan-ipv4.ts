import { AddressMode, type Vnic } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Interface, Seen } from "../picture/index.ts";
import { followedSubnet, hostOf, isInSubnetOf } from "./follow.ts";
import { lanOf } from "./parent.ts";
import type { Known, Offer } from "./situation.ts";

/** The IPv4 side of a vNIC: what it should have, or why it has nothing. */
export type Ipv4 =
  | { readonly is: "none" }
  | { readonly is: "offer"; readonly offer: Offer; readonly needsProbe: boolean }
  /** `isKept`: an address that is there stays until there is another one. `isPending`: it comes by itself. */
  | { readonly is: "missing"; readonly reason: string; readonly isPending: boolean; readonly isKept: boolean }
  | { readonly is: "impossible"; readonly reason: string };

/** What decides of IPv4, beside the wish. */
export interface Ground {
  readonly parent: Interface;
  readonly picture: Seen;
  readonly known: Known;
  /** Wall time in milliseconds. */
  readonly now: number;
}

/** What a vNIC should have of IPv4 upon its parent as it is now. */
export function ipv4Of(vnic: Vnic, ground: Ground): Ipv4 {
  switch (vnic.addressMode) {
    case AddressMode.NONE:
      return { is: "none" };
    case AddressMode.STATIC:
      return given(vnic.address, { ...vnic, gateway: vnic.gateway }, ground);
    case AddressMode.FOLLOW:
      return following(vnic, ground);
    default:
      return leased(ground);
  }
}

/** Within the parent's subnet, with its gateway there. */
function following(vnic: Vnic, ground: Ground): Ipv4 {
  const { parent, picture } = ground;
  const subnet = followedSubnet(parent);
  if (subnet === undefined) {
    const reason = `${parent.name} has no IPv4 subnet to follow`;
    return { is: "missing", reason, isPending: false, isKept: true };
  }
  const address = hostOf(subnet, vnic.host);
  if (address === undefined) {
    return { is: "impossible", reason: `${parent.name} is in ${subnet}, which has no host ${vnic.host}` };
  }
  const gateway = parent.gateways.find((one) => isInSubnetOf(address, one)) ?? "";
  const ofNode = picture.dnsServers.filter((server) => !/^127\.|^::1$/.test(server));
  const dnsServers = vnic.dnsServers.length > 0 ? vnic.dnsServers : ofNode;
  return given(address, { gateway, dnsServers }, ground);
}

/** An address that nobody but us gives, so it is asked for on the LAN before it is used. */
function given(
  address: string,
  { gateway, dnsServers }: Pick<Offer, "gateway" | "dnsServers">,
  { picture, known }: Ground,
): Ipv4 {
  const [host = ""] = address.split("/");
  const needsProbe = !known.free?.has(host);
  // The node does not hear what its own vNICs ask on the LAN, so it is asked here.
  const having = picture.interfaces.find(({ addresses }) =>
    addresses.some((one) => one.startsWith(`${host}/`)),
  );
  if (needsProbe && having) {
    return {
      is: "impossible",
      reason: `${host} is the node's own address on ${having.name}: choose another one`,
    };
  }
  return { is: "offer", offer: { address, gateway, dnsServers, search: "", routes: [] }, needsProbe };
}

/**
 * What the DHCP server gave. A lease that is kept from before is put on at once where the LAN looks as it did when it was given
 * (what INIT-REBOOT is for), and everywhere as soon as a server confirmed it; until then an address that is there stays.
 */
function leased({ known, parent, now }: Ground): Ipv4 {
  const { lease, leaseLan = "", isConfirmed = false, silence } = known;
  if (!lease || lease.expiresAt <= now) {
    const reason = silence ?? "a DHCP server is being looked for";
    return { is: "missing", reason, isPending: silence === undefined, isKept: false };
  }
  const lan = lanOf(parent);
  const isSameLan = leaseLan === "" || lan === "" || lan === leaseLan;
  if (!isConfirmed && !isSameLan) {
    const reason = silence ?? `${parent.name} is in another network since: a DHCP server is being asked`;
    return { is: "missing", reason, isPending: silence === undefined, isKept: true };
  }
  const isDefault = ({ destination }: { destination: string }) => destination === "0.0.0.0/0";
  const offer: Offer = {
    ...{
      address: lease.address,
      gateway: lease.gateways[0] ?? "",
      dnsServers: lease.dnsServers,
      search: lease.domain,
    },
    routes: lease.routes.filter((route) => !isDefault(route)),
    validSeconds: Math.ceil((lease.expiresAt - now) / 1_000),
  };
  return { is: "offer", offer, needsProbe: false };
}
