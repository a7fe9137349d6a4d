import { type LinkKind, linkKinds } from "./facts.ts";
import { type Check, ok, unknown, warn } from "./finding.ts";

/** What cannot be done without a kind of link. */
const needed: Readonly<Record<LinkKind, { level: "warn" | "fail"; without: string }>> = {
  veth: { level: "fail", without: "no container has a network without it" },
  macvlan: { level: "fail", without: "no vNIC on a wired parent without it" },
  vlan: { level: "warn", without: "only vNICs with vlan= need it" },
  ipvlan: { level: "warn", without: "only vNICs with mode=ipvlan need it" },
};

const linkChecks = linkKinds.map((kind): Check => {
  const { level, without } = needed[kind];
  return {
    id: `kernel ${kind}`,
    why: without,
    judge({ links }) {
      if (links.is === "unknown") return unknown(`it could not be tried: ${links.problem}`);
      const problem = links.value[kind];
      if (problem === undefined) return ok("can be made");
      const next = `load or build the module ${kind === "vlan" ? "8021q" : kind}`;
      return { level, says: `cannot be made: ${problem}`, next };
    },
  };
});

/** What the kernel's network must be able to do, and what filters it. */
export const kernelChecks: Check[] = [
  ...linkChecks,
  {
    id: "ip_forward",
    why: "without it no container reaches anything but this machine, and no routed vNIC is reached",
    judge({ isForwarding }) {
      if (isForwarding.is === "unknown") return unknown(isForwarding.problem);
      if (isForwarding.value) return ok("IPv4 is forwarded");
      return warn("IPv4 is not forwarded", "net.ipv4.ip_forward=1 in /etc/sysctl.d; the engine sets it, too");
    },
  },
  {
    id: "forwarding",
    why: "a rule that throws all away cuts off containers and routed vNICs; MACVLAN passes it by",
    judge({ filter }) {
      if (filter.is === "unknown") return unknown(filter.problem);
      const { policy, refusing } = filter.value;
      const says = `the policy of FORWARD is ${policy}`;
      if (refusing.length === 0) {
        return ok(policy === "ACCEPT" ? says : `${says}, and engine and netmon let pass what is theirs`);
      }
      const next = "give the networks of containers their place before that rule, as in chain DOCKER-USER";
      return warn(`${says}, and a rule refuses all: ${refusing[0]}`, next);
    },
  },
  {
    id: "firewall kinds",
    why: "a packet must pass both, so that a rule in one does not help against the other",
    judge({ filterKinds }) {
      if (filterKinds.is === "unknown") return unknown(filterKinds.problem);
      const { used, other } = filterKinds.value;
      if (other.length === 0) return ok(`iptables is ${used}, and the other kind has no rules`);
      const next = "move all rules to one kind (update-alternatives --config iptables), and boot anew";
      return warn(`iptables is ${used}, and the other kind has tables, too: ${other.join(", ")}`, next);
    },
  },
];
