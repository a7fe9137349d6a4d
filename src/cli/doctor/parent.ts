import { nearest } from "../../base/nearest.ts";
import type { Facts } from "./facts.ts";
import { type Check, fail, ok, unknown, type Verdict, warn } from "./finding.ts";

/** What may stand between the world and vNICs: a hypervisor's switch, and the parent that a person named. */
export function surroundingChecks({ parent }: Facts): Check[] {
  const hypervisor: Check = {
    id: "hypervisor",
    why: "a vNIC has a MAC of its own, which a virtual switch may not know",
    judge: judgeHypervisor,
  };
  if (!parent) return [hypervisor];
  const why = "a vNIC's MAC must pass the switch that the parent is plugged into";
  return [hypervisor, { id: `parent ${parent.name}`, why, judge: (facts) => judgeParent(facts, parent) }];
}

function judgeHypervisor({ hypervisor, parent }: Facts): Verdict {
  if (hypervisor === undefined) return ok("none was found: this is bare metal");
  const says = `this machine is a guest${hypervisor === "" ? "" : ` of ${hypervisor}`}`;
  if (parent?.tried.is === "known" && parent.tried.value.answersOtherMac) {
    return ok(`${says}, whose switch takes other MACs on ${parent.name}`);
  }
  return warn(
    `${says}, whose virtual switch may refuse the MACs of vNICs`,
    `${allowMacs}; try it with: orchestrator doctor --parent <interface>`,
  );
}

/** What a virtual switch must be told. */
const allowMacs = "allow promiscuous mode, MAC address changes and forged transmits on its port";

function judgeParent({ netmon, hypervisor }: Facts, parent: NonNullable<Facts["parent"]>): Verdict {
  const parents = netmon.is === "known" ? netmon.value.parents : undefined;
  const seen = parents?.find(({ name }) => name === parent.name);
  if (parents && !seen) {
    const meant = nearest(
      parent.name,
      parents.map(({ name }) => name),
    );
    const hint = meant === undefined ? "orchestrator network watch shows them" : `did you mean ${meant}?`;
    return fail("there is no such interface", hint);
  }
  if (seen?.kind === "wireless") {
    const says = "Wi-Fi takes frames of one MAC only: its vNICs are routed, with proxy ARP";
    return warn(says, "a wired parent has none of its limits (docs/networking.md)");
  }
  if (parent.tried.is === "unknown") {
    return (parent.tried.isDenied ? unknown : fail)(parent.tried.problem, "then try it again");
  }
  const { gateway, answersOwnMac, answersOtherMac } = parent.tried.value;
  if (answersOtherMac) return ok(`the gateway ${gateway} answers a MAC that is not the interface's own`);
  if (!answersOwnMac) {
    const next = "check that it is there and on this LAN, then try it again";
    return warn(`the gateway ${gateway} does not answer at all`, next);
  }
  const next =
    hypervisor === undefined
      ? "switch port security, 802.1X or a limit of MACs refuses them: allow more MACs on this port"
      : allowMacs;
  return fail(`the gateway ${gateway} answers the interface's own MAC, and no other`, next);
}
