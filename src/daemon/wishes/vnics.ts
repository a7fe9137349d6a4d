import { create } from "@bufbuild/protobuf";
import { type Vnic, VnicPhase, type VnicStatus, VnicStatusSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import { type Failure, failure, refusedFields } from "../../base/failure.ts";
import type { Reached } from "../network/index.ts";
import type { Wish } from "./wish.ts";

/** What is known of the vNICs of one runtime. */
export interface LanKnown {
  netmon: Reached;
  /** Why netmon would not take them; undefined when it did. */
  unplugged: Failure | undefined;
  macOf: (runtime: string, vnic: Vnic) => string;
}

/** A runtime's vNICs as netmon tells them, in the order of the wish. What netmon does not tell has a reason why. */
export function vnicsOf({ name, spec }: Wish, { macOf, ...lan }: LanKnown): VnicStatus[] {
  const attached = lan.netmon.at === "there" ? lan.netmon.attached.get(name) : undefined;
  return spec.vnics.map((vnic) => {
    const told = attached?.vnics.find((one) => one.name === vnic.name);
    return told ?? create(VnicStatusSchema, { name: vnic.name, mac: macOf(name, vnic), ...untold(lan) });
  });
}

function untold({ netmon, unplugged }: Omit<LanKnown, "macOf">): { phase: VnicPhase; reason: string } {
  const phase = VnicPhase.UNSPECIFIED;
  if (netmon.at === "away") return { phase, reason: netmon.problem.message };
  if (netmon.at === "unknown") return { phase, reason: "netmon has not been asked yet" };
  if (!unplugged) return { phase, reason: "it is about to be plugged in" };
  return { phase: VnicPhase.FAILED, reason: `${unplugged.message}; it is tried again` };
}

/** vNICs of one node: what all of them are must fit into one frame. */
const vnicLimit = 1_000;

/**
 * Whether a new runtime's vNICs go with those of the other runtimes of this node.
 * @throws {Failure} conflict: a MAC address is another vNIC's. exhausted: there are too many.
 */
export function checkAgainstOthers(
  { name, vnics }: { name: string; vnics: readonly Vnic[] },
  otherRuntimes: readonly Pick<Wish, "name" | "spec">[],
  macOf: LanKnown["macOf"],
): void {
  if (vnics.length === 0) return;
  const others = otherRuntimes.flatMap((wish) =>
    wish.spec.vnics.map((vnic) => ({ mac: macOf(wish.name, vnic), of: wish.name, vnic })),
  );
  if (others.length + vnics.length > vnicLimit) {
    throw failure(
      "exhausted",
      `this node has ${others.length} vNICs, and its limit is ${vnicLimit}: delete some first`,
    );
  }
  const violations = vnics.flatMap((vnic, index) => {
    const mac = macOf(name, vnic);
    const same = mac === "" ? undefined : others.find((one) => one.mac === mac);
    if (!same) return [];
    const message = `${mac} is that of ${same.vnic.name} of runtime ${same.of}`;
    return [{ field: `spec.vnics[${index}].mac`, message }];
  });
  if (violations.length > 0) throw refusedFields("conflict", violations, "choose another, or leave it out");
}
