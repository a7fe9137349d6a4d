import { type Facts, type HubStepName, hubSteps } from "./facts.ts";
import { type Check, fail, ok, unknown } from "./finding.ts";

/** What each step on the way to the hub is for, and what mends it. */
const steps: Readonly<Record<HubStepName, { why: string; next: string }>> = {
  dns: {
    why: "the hub is found by its name",
    next: "check /etc/resolv.conf and the name; getent hosts <name> asks the same way",
  },
  tcp: {
    why: "the line is one TCP connection from here to the hub",
    next: "check the hub, the firewalls between, and https_proxy",
  },
  tls: {
    why: "the line is TLS 1.3, whoever is in between",
    next: "what answers there is no hub, or a proxy opens TLS: let the node reach the hub directly",
  },
  identity: {
    why: "this node speaks with the hub that it enrolled with, and with no other",
    next: "check the hub's address and this machine's clock; a hub set up anew needs daemon enroll --force",
  },
};

/** The way to the hub, each step by itself; none where there is no hub or nothing may leave the machine. */
export function hubChecks({ hub }: Facts): Check[] {
  const proxy: Check = {
    id: "proxy",
    why: "the line to the hub and the enrolment go through it",
    judge({ proxy }) {
      if (proxy.is === "unknown") return fail(proxy.problem, "https_proxy=http://host:port, or none");
      return ok(proxy.value === undefined ? "none is set for the hub" : `${proxy.value} is set`);
    },
  };
  if (!hub) return [proxy];
  const way = hubSteps.map((step): Check => {
    const { why, next } = steps[step];
    return {
      id: `hub ${step}`,
      why,
      judge() {
        const answer = hub.steps[step];
        if (answer.is === "unknown") return unknown(answer.problem, "mend what comes before it");
        return answer.value.isWell ? ok(answer.value.says) : fail(answer.value.says, next);
      },
    };
  });
  return [proxy, ...way];
}
