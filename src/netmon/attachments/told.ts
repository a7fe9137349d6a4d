import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  AddressMode,
  VnicChangeKind as Kind,
  LeaseSchema,
  VnicPhase as Phase,
  type VnicChangeSchema,
  type VnicStatus,
  VnicStatusSchema,
} from "../../../gen/edge/v1/vnics_pb.ts";
import type { DhcpLease } from "../lease/index.ts";
import type { Standing } from "./situation.ts";
import type { Told } from "./store.ts";

/** A vNIC's standing as it is told, with its lease. `since` is kept when neither phase nor addresses are others than before. */
export function statusOf(
  standing: Standing,
  { lease, before, now }: { lease: DhcpLease | undefined; before: VnicStatus | undefined; now: number },
): VnicStatus {
  const { vnic, phase, reason, parent, mac, addresses, offer } = standing;
  const isSame = before?.phase === phase && before.addresses.join() === addresses.join();
  return create(VnicStatusSchema, {
    ...{ name: vnic.name, phase, reason, mac, addresses: [...addresses] },
    parent: parent?.name ?? "",
    gateway: offer?.gateway ?? "",
    dnsServers: [...(offer?.dnsServers ?? [])],
    hasDefaultRoute: standing.ownsDefaultRoute,
    ...(lease && { lease: leaseMessage(lease) }),
    since: (isSame && before.since) || timestampFromMs(now),
  });
}

function leaseMessage(lease: DhcpLease) {
  const { address, server, leaseSeconds } = lease;
  return create(LeaseSchema, {
    ...{ address, server, leaseSeconds },
    boundAt: timestampFromMs(lease.boundAt),
    renewedAt: timestampFromMs(lease.renewedAt),
    expiresAt: timestampFromMs(lease.expiresAt),
  });
}

export interface Change {
  readonly change: Omit<MessageInitShape<typeof VnicChangeSchema>, "$typeName"> & { kind: Kind };
  readonly reason: string;
}

/** What of a vNIC a step changes. */
export type Aspect = "link" | "address" | "route";

/** Why a round changed it. */
export type Reasons = ReadonlyMap<Aspect, string>;

/**
 * What happened to a vNIC between what was told before and what is now, in the order in which it did. Leases tell for themselves.
 * It goes by levels, so that nothing is told twice, and nothing is missed that happened while netmon was away and still is so.
 */
export function changesBetween(
  before: Told | undefined,
  after: Told,
  { standing, reasons, runtime }: { standing: Standing; reasons: Reasons; runtime: string },
): Change[] {
  const [was, is] = [before?.status, after.status];
  const parent = is.parent || was?.parent || "";
  const base = { runtime, vnic: is.name, parent, address: is.addresses[0] ?? "" };
  const found: Change[] = [];
  const tell = (kind: Kind, reason: string, more: { previousAddress?: string; otherMac?: string } = {}) =>
    void found.push({ change: { ...base, ...more, kind }, reason });
  const wasWithout = isWithout(was?.phase);
  if (isWithout(is.phase) && was && !wasWithout && was.phase !== Phase.NO_RUNTIME)
    tell(Kind.PARENT_LOST, is.reason);
  if (wasWithout && !isWithout(is.phase) && is.phase !== Phase.NO_RUNTIME) {
    tell(Kind.PARENT_BACK, `${parent} is there and has a carrier`);
  }
  const [hadLink, hasLink] = [before?.link ?? "", after.link];
  if (hadLink !== "" && hasLink === "") tell(Kind.DETACHED, is.reason);
  if (hasLink !== "" && hasLink !== hadLink)
    tell(Kind.ATTACHED, reasons.get("link") ?? `${is.name} is there`);
  if (standing.vnic.addressMode === AddressMode.FOLLOW && is.addresses[0] && hadLink === hasLink) {
    const previousAddress = was?.addresses[0];
    if (previousAddress && previousAddress !== is.addresses[0]) {
      tell(Kind.READDRESSED, reasons.get("address") ?? is.reason, { previousAddress });
    }
  }
  if (is.phase === Phase.FAILED && (was?.phase !== Phase.FAILED || was.reason !== is.reason)) {
    const { otherMac } = standing;
    tell(otherMac ? Kind.CONFLICT : Kind.FAILED, is.reason, otherMac ? { otherMac } : {});
  }
  if (is.hasDefaultRoute && !was?.hasDefaultRoute) {
    tell(Kind.DEFAULT_ROUTE, reasons.get("route") ?? `${is.name} has a gateway`);
  }
  return found;
}

function isWithout(phase: Phase | undefined): boolean {
  return phase === Phase.NO_PARENT || phase === Phase.NO_CARRIER;
}
