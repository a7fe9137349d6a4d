import { AddressMode, Ipv6Mode, type Vnic, VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import type { InsideLink } from "../namespaces/index.ts";
import type { Interface } from "../picture/index.ts";
import { followedSubnet } from "./follow.ts";
import { planAddresses } from "./plan-addresses.ts";
import { type Ipv4, ipv4Of } from "./plan-ipv4.ts";
import type { LinkPlan } from "./plan-link.ts";
import type { Draft, Known, Problem, Situation } from "./situation.ts";

interface Options {
  readonly vnic: Vnic;
  readonly parent: Interface;
  readonly known: Known;
  readonly link: LinkPlan;
  readonly situation: Situation;
}

type Drafted = Omit<Draft, "vnic" | "parent" | "mac">;
type Phase = Pick<Draft, "phase" | "reason" | "isPending" | "otherMac">;

/** What there is to do for a vNIC whose parent is there, and how far it is. */
export function planVnic({ vnic, parent, known, link, situation }: Options): Drafted {
  const { picture, now } = situation;
  const ipv4 = ipv4Of(vnic, { parent, known, picture, now });
  const reason = whyAddress(vnic, parent, known);
  const addresses = planAddresses(vnic, link.link, { ipv4, reason });
  const linkOn = link.link?.parentIndex ?? 0;
  const offer =
    ipv4.is === "offer" && addresses.addresses.includes(ipv4.offer.address) ? ipv4.offer : undefined;
  const failed = known.problem && failedPhase(known.problem);
  if (failed && known.problem?.isWaiting) {
    // It is not yet time to try again; what is there stays as it is.
    const has = usableAddresses(link.link);
    const kept = offer && has.includes(offer.address) ? offer : undefined;
    return {
      ...failed,
      linkOn,
      addresses: has,
      offer: kept,
      isThere: link.link !== undefined,
      come: [],
      go: [],
    };
  }
  // Nobody can be asked, and no address put on, before there is a link and somebody at its other end.
  const come = addresses.come.filter(
    (step) => step.do !== "probe" || (parent.carrier && step.address !== known.probing),
  );
  const phase = phaseOf(ipv4, { vnic, parent, link, reason, isDone: addresses.come.length === 0 });
  return {
    // What failed has failed until it works, also while it is tried again.
    ...(failed && phase.isPending ? { ...failed, isPending: true } : phase),
    ...{ linkOn, addresses: addresses.addresses, offer, isThere: link.isThere },
    come: [...link.steps, ...(link.isThere ? come : [])],
    go: link.isThere ? addresses.go : [],
  };
}

function failedPhase({ reason, otherMac = "" }: Problem): Phase {
  return { phase: VnicPhase.FAILED, reason, isPending: false, otherMac };
}

interface Ground {
  readonly vnic: Vnic;
  readonly parent: Interface;
  readonly link: LinkPlan;
  readonly reason: string;
  readonly isDone: boolean;
}

function phaseOf(ipv4: Ipv4, { vnic, parent, link, reason, isDone }: Ground): Phase {
  const tell = (phase: VnicPhase, why: string, isPending = false) => ({
    ...{ phase, reason: why, isPending, otherMac: "" },
  });
  if (ipv4.is === "impossible") return tell(VnicPhase.FAILED, ipv4.reason);
  const duplicate = link.link?.addresses.find((one) => one.isDuplicate && !one.isLinkLocal);
  if (duplicate) return tell(VnicPhase.FAILED, `another machine has ${duplicate.address}`);
  if (!parent.carrier) return tell(VnicPhase.NO_CARRIER, `${parent.name} has no carrier`);
  if (!link.link) return tell(VnicPhase.NO_ADDRESS, `${vnic.name} is being made`, true);
  if (ipv4.is === "missing") return tell(VnicPhase.NO_ADDRESS, ipv4.reason, ipv4.isPending);
  if (!isDone)
    return tell(VnicPhase.NO_ADDRESS, `the LAN is asked whether another machine has its address`, true);
  if (
    vnic.ipv6Mode === Ipv6Mode.STATIC &&
    link.link.addresses.some((one) => one.isTentative && !one.isLinkLocal)
  ) {
    return tell(VnicPhase.NO_ADDRESS, "the LAN is asked whether another machine has its IPv6 address", true);
  }
  return tell(VnicPhase.UP, reason);
}

/** Why it has the address that it has. */
function whyAddress(vnic: Vnic, parent: Interface, { lease }: Known): string {
  switch (vnic.addressMode) {
    case AddressMode.NONE:
      return `upon ${parent.name}, without an IPv4 address`;
    case AddressMode.STATIC:
      return `${vnic.address} is its static address`;
    case AddressMode.FOLLOW:
      return `${parent.name} is in ${followedSubnet(parent) ?? "no subnet"}, of which it has host ${vnic.host}`;
    default:
      return lease ? `${lease.server} leased it ${lease.address}` : `upon ${parent.name}`;
  }
}

function usableAddresses(link: InsideLink | undefined): string[] {
  const usable = (link?.addresses ?? []).filter(
    (one) => !one.isLinkLocal && !one.isTentative && !one.isDuplicate,
  );
  return usable
    .toSorted((a, b) => Number(a.family === "ipv6") - Number(b.family === "ipv6"))
    .map(({ address }) => address);
}
