import type { Facts } from "./facts.ts";
import type { Check, Finding } from "./finding.ts";
import { engineChecks } from "./judge-engine.ts";
import { hubChecks } from "./judge-hub.ts";
import { kernelChecks } from "./judge-kernel.ts";
import { machineChecks } from "./judge-machine.ts";
import { programChecks } from "./judge-programs.ts";
import { realTimeChecks } from "./judge-realtime.ts";
import { secretChecks } from "./judge-secrets.ts";
import { surroundingChecks } from "./parent.ts";

/** Judges a machine by what is known of it. */
export function judge(facts: Facts): Finding[] {
  const checks: Check[] = [
    ...engineChecks,
    ...programChecks,
    ...secretChecks(facts),
    ...hubChecks(facts),
    ...kernelChecks,
    ...machineChecks,
    ...realTimeChecks,
    ...surroundingChecks(facts),
  ];
  return checks.map(({ id, why, judge }) => ({ check: id, why, ...judge(facts) }));
}
