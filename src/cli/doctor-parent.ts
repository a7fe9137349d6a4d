import { nearest } from "../base/nearest.ts";
import type { Facts } from "./doctor-facts.ts";
import { type Finding, fail, ok, warn } from "./doctor-finding.ts";

/** Judges what may stand between the world and vNICs: a hypervisor's switch, and the parent that a person named. */
export function judgeSurroundings(facts: Facts): Finding[] {
  return [judgeHypervisor(facts), ...judgeParent(facts)];
}

function judgeHypervisor({ hypervisor, parent }: Facts): Finding {
  if (hypervisor === undefined) return ok("hypervisor", "none was found: this is bare metal");
  const says = `this machine is a guest${hypervisor === "" ? "" : ` of ${hypervisor}`}`;
  if (parent?.tried.is === "known" && parent.tried.value.answersOtherMac) {
    return ok("hypervisor", `${says}, whose switch takes other MACs on ${parent.name}`);
  }
  return warn(
    "hypervisor",
    `${says}, whose virtual switch may refuse the MACs of vNICs`,
    `${allowMacs}; try it with: orchestrator doctor --parent <interface>`,
  );
}

/** What a virtual switch must be told. */
const allowMacs = "allow promiscuous mode, MAC address changes and forged transmits on its port";

function judgeParent({ parent, netmon, hypervisor }: Facts): Finding[] {
  if (!parent) return [];
  const check = `parent ${parent.name}`;
  const parents = netmon.is === "known" ? netmon.value.parents : undefined;
  const seen = parents?.find(({ name }) => name === parent.name);
  if (parents && !seen) {
    const meant = nearest(
      parent.name,
      parents.map(({ name }) => name),
    );
    const hint = meant === undefined ? "orchestrator network watch shows them" : `did you mean ${meant}?`;
    return [fail(check, "there is no such interface", hint)];
  }
  if (seen?.kind === "wireless") {
    const says = "Wi-Fi takes frames of one MAC only: its vNICs are routed, with proxy ARP";
    return [warn(check, says, "a wired parent has none of its limits (docs/networking.md)")];
  }
  if (parent.tried.is === "unknown") return [fail(check, parent.tried.problem, "then try it again")];
  const { gateway, answersOwnMac, answersOtherMac } = parent.tried.value;
  if (answersOtherMac)
    return [ok(check, `the gateway ${gateway} answers a MAC that is not the interface's own`)];
  if (!answersOwnMac) {
    const next = "check that it is there and on this LAN, then try it again";
    return [warn(check, `the gateway ${gateway} does not answer at all`, next)];
  }
  const next =
    hypervisor === undefined
      ? "switch port security, 802.1X or a limit of MACs refuses them: allow more MACs on this port"
      : allowMacs;
  return [fail(check, `the gateway ${gateway} answers the interface's own MAC, and no other`, next)];
}
