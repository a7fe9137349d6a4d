import { type Vnic, VnicMode, VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure } from "../../base/failure.ts";
import type { Inside } from "../namespaces/index.ts";
import { modeFor } from "../parents/index.ts";
import { findParent, parentName } from "./parent.ts";
import { planDedicated } from "./plan-dedicated.ts";
import { planLink } from "./plan-link.ts";
import { defaultRouteOwner, planRoutes } from "./plan-routes.ts";
import { planVnic } from "./plan-vnic.ts";
import { type Draft, type Known, type Plan, type Situation, type Step, stepFor } from "./situation.ts";

/**
 * The steps from what is to what should be, for all vNICs of one owner. Nothing is left to do when there are none. Only what is
 * different gets steps: a link that is right, an address that is right and a vNIC whose parent did not change are never touched.
 */
export function plan(situation: Situation): Plan {
  const { vnics, inside, gone } = situation;
  const drafts = vnics.map((vnic) => draft(vnic, situation));
  const owner = defaultRouteOwner(drafts);
  const standings = drafts.map(({ come, go, isThere, ...one }) => ({
    ...one,
    ownsDefaultRoute: one === owner || one.vnic === owner?.vnic,
  }));
  const removals = gone.flatMap((name) => planGone(name, situation));
  if (!inside) return { steps: removals, standings };
  const isSettled = !drafts.some(({ isPending }) => isPending);
  const there = drafts.filter(({ isThere }) => isThere);
  const steps = [
    ...removals,
    ...drafts.flatMap(({ come }) => come),
    ...planRoutes(there, { ...situation, inside }, { isSettled }),
    ...drafts.flatMap(({ go }) => go),
  ];
  return { steps, standings };
}

function draft(vnic: Vnic, situation: Situation): Draft {
  const { picture, inside } = situation;
  const known = situation.known.get(vnic.name) ?? {};
  const parent = findParent(vnic, picture);
  const base = {
    ...{ vnic, parent, mac: vnic.mac || (parent?.mac ?? ""), linkOn: 0, addresses: [], offer: undefined },
    ...{ isPending: false, otherMac: "", isThere: false, come: [], go: [] },
  };
  if (!inside)
    return {
      ...base,
      phase: VnicPhase.NO_RUNTIME,
      reason: situation.absence || "its container does not run",
    };
  try {
    if (vnic.mode === VnicMode.DEDICATED) {
      const dedicated = planDedicated(vnic, { inside, known, onNode: parent });
      if ("phase" in dedicated) return { ...base, ...dedicated };
      const mac = dedicated.parent.mac;
      return {
        ...base,
        mac,
        parent: dedicated.parent,
        ...planVnic({ vnic, known, situation, ...dedicated }),
      };
    }
    if (!parent) {
      const reason = `${parentName(vnic)} is not there`;
      return {
        ...base,
        phase: VnicPhase.NO_PARENT,
        reason,
        come: withoutParent(vnic, { inside, known, reason }),
      };
    }
    const mode = modeFor(vnic.mode, parent);
    const link = planLink({ vnic, parent, mode }, inside, known);
    return { ...base, ...planVnic({ vnic, parent, known, link, situation }) };
  } catch (thrown) {
    return { ...base, phase: VnicPhase.FAILED, reason: asFailure(thrown).message };
  }
}

/** A MACVLAN link went with its parent; whatever else has its name must not stand in the way when the parent is back. */
function withoutParent(
  { name }: Vnic,
  { inside, known, reason }: { inside: Inside; known: Known; reason: string },
): Step[] {
  const isThere = inside.links.some((link) => link.name === name);
  return [
    ...(known.hasClient ? [stepFor(name, { do: "stopClient" }, reason)] : []),
    ...(isThere ? [stepFor(name, { do: "removeLink" }, reason)] : []),
  ];
}

/** For a vNIC that is not wanted any more. Its lease is given back before. */
function planGone(name: string, { inside }: Situation): Step[] {
  const isThere = inside?.links.some((link) => link.name === name);
  return isThere ? [stepFor(name, { do: "removeLink" }, `${name} is not wanted any more`)] : [];
}
