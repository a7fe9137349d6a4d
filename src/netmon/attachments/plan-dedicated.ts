import { type Vnic, VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import { subnetsOf } from "../../wire/subnet.ts";
import type { Inside } from "../namespaces/index.ts";
import type { RecordedNic } from "../parents/index.ts";
import type { Interface } from "../picture/index.ts";
import { parentName } from "./parent.ts";
import { type LinkPlan, planState } from "./plan-link.ts";
import { type Draft, type Known, stepFor } from "./situation.ts";

/**
 * What brings a whole NIC into the container, and the interface that it is: it is not on the node any more once it is there, so
 * it is what was written down of it before, with the carrier that it has now.
 */
export function planDedicated(
  vnic: Vnic,
  { inside, known, onNode }: { inside: Inside; known: Known; onNode: Interface | undefined },
): { parent: Interface; link: LinkPlan } | Pick<Draft, "phase" | "reason"> {
  const found = inside.links.find(({ name }) => name === vnic.name);
  const isIt = found && known.nic && (found.mac === known.nic.mac || found.mac === known.nic.permanentMac);
  if (isIt && known.nic) {
    const steps = planState(vnic, found, known);
    return { parent: asInterface(known.nic, found), link: { steps, link: found, isThere: true } };
  }
  const name = onNode?.name ?? known.nic?.name;
  if (name === undefined || (!onNode && !known.nic)) {
    return { phase: VnicPhase.NO_PARENT, reason: `${parentName(vnic)} is not there` };
  }
  const reason = `${name} is to be in the runtime as a whole`;
  const steps = [
    ...(known.hasClient ? [stepFor(vnic.name, { do: "stopClient" }, reason)] : []),
    stepFor(vnic.name, { do: "takeNic", nic: name }, reason),
  ];
  const parent = onNode ?? (known.nic && asInterface(known.nic, { index: 0, hasCarrier: false }));
  if (!parent) return { phase: VnicPhase.NO_PARENT, reason: `${parentName(vnic)} is not there` };
  // Who it is in there is seen by the next look.
  return { parent, link: { steps, link: undefined, isThere: false } };
}

function asInterface(
  nic: RecordedNic,
  { index, hasCarrier }: { index: number; hasCarrier: boolean },
): Interface {
  const addresses = nic.addresses.map(({ address }) => address);
  return {
    ...{
      name: nic.name,
      index,
      mac: nic.mac,
      kind: "physical",
      mtu: nic.mtu,
      carrier: hasCarrier,
      speedMbps: 0,
    },
    operstate: hasCarrier ? "up" : "down",
    ...{ addresses, subnets: subnetsOf(addresses), gateways: [], routes: [] },
  };
}
