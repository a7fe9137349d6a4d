import type { Facts } from "./doctor-facts.ts";
import type { Check, Finding } from "./doctor-finding.ts";
import { engineChecks } from "./doctor-judge-engine.ts";
import { hubChecks } from "./doctor-judge-hub.ts";
import { kernelChecks } from "./doctor-judge-kernel.ts";
import { machineChecks } from "./doctor-judge-machine.ts";
import { programChecks } from "./doctor-judge-programs.ts";
import { realTimeChecks } from "./doctor-judge-realtime.ts";
import { surroundingChecks } from "./doctor-parent.ts";

/** Judges a machine by what is known of it. */
export function judge(facts: Facts): Finding[] {
  const checks: Check[] = [
    ...engineChecks,
    ...programChecks,
    ...hubChecks(facts),
    ...kernelChecks,
    ...machineChecks,
    ...realTimeChecks,
    ...surroundingChecks(facts),
  ];
  return checks.map(({ id, why, judge }) => ({ check: id, why, ...judge(facts) }));
}
