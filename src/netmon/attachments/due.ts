import { Ipv6Mode, VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Plan, Standing } from "./situation.ts";
import type { Tended, TendedVnic } from "./tended.ts";

/** How soon it is looked again, in milliseconds, where nobody tells that something is different. */
const soon = {
  /** A plan that was not done with, or the kernel's own question for an IPv6 duplicate. */
  pending: 1_000,
  /** A container that is just being started, and has no files of its own yet. */
  files: 20,
  /** A whole NIC that is neither in its container nor on the node. */
  nic: 2_000,
  /** An address by SLAAC, at first; later half as often as it is already missing, and in the end with all else. */
  slaac: 250,
} as const;
const slaacPatienceMs = 60_000;

/** When an owner must be looked at again although nobody asked for it, in milliseconds; undefined when that need not be. */
export function nextLookMs(tended: Tended, { steps, standings }: Plan, clock: Clock): number | undefined {
  const dues: number[] = steps.length > 0 ? [soon.pending] : [];
  if (tended.netns && !tended.hasFiles) dues.push(soon.files);
  if (!tended.netns && [...tended.vnics.values()].some(({ nic }) => nic)) dues.push(soon.nic);
  for (const standing of standings) {
    const vnic = tended.vnics.get(standing.vnic.name);
    if (vnic) dues.push(...duesOf(standing, vnic, clock));
  }
  return dues.length > 0 ? Math.max(1, Math.ceil(Math.min(...dues)) + 1) : undefined;
}

function duesOf(standing: Standing, vnic: TendedVnic, clock: Clock): number[] {
  const elapsed = clock.elapsed();
  const dues: number[] = [];
  if (vnic.problem && vnic.problem.retryAt > elapsed) dues.push(vnic.problem.retryAt - elapsed);
  if (standing.isPending && !vnic.probing && !vnic.client) dues.push(soon.pending);
  if (vnic.lease) dues.push(vnic.lease.lease.expiresAt - clock.now());
  if (lacksSlaac(standing)) {
    vnic.slaacSince ??= elapsed;
    const missingMs = elapsed - vnic.slaacSince;
    if (missingMs < slaacPatienceMs) dues.push(Math.max(soon.slaac, missingMs / 2));
  }
  return dues.filter((ms) => ms > 0);
}

function lacksSlaac({ vnic, phase, addresses }: Standing): boolean {
  const isAttached = phase === VnicPhase.UP || phase === VnicPhase.NO_ADDRESS;
  return isAttached && vnic.ipv6Mode === Ipv6Mode.SLAAC && !addresses.some((one) => one.includes(":"));
}
