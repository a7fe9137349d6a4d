import type { EgressRule } from "../../../gen/edge/v1/agents_pb.ts";
import { hostName, rulesFor } from "./names.ts";

/** A question of DNS. */
export interface Question {
  /** As it was asked. */
  name: string;
  /** As dns-packet names it: `A`, `TXT`, `UNKNOWN_65`. */
  type: string;
}

/** What becomes of a question, before anybody is asked. */
export type Judged =
  | { is: "asked"; name: string; family: 4 | 6; rules: readonly EgressRule[] }
  /** The name may be asked, and this of it is never told. */
  | { is: "empty" }
  | { is: "denied"; reason: string };

/** What programs ask for by themselves beside addresses: how to speak HTTPS with a host (SVCB, HTTPS), and services (SRV). */
const usual = new Set(["UNKNOWN_64", "UNKNOWN_65", "SVCB", "HTTPS", "SRV"]);

/**
 * Only addresses of names that the agent may reach are ever asked for: any other question would carry to whoever owns a name what a
 * program wants to tell him, and back.
 */
export function judge({ name, type }: Question, allow: readonly EgressRule[], hasIpv6: boolean): Judged {
  const asked = hostName(name);
  const rules = asked === undefined ? [] : rulesFor(asked, allow);
  if (asked === undefined || rules.length === 0) {
    return { is: "denied", reason: "the agent's network.allow does not hold this name" };
  }
  if (type === "A") return { is: "asked", name: asked, family: 4, rules };
  if (type === "AAAA") return hasIpv6 ? { is: "asked", name: asked, family: 6, rules } : { is: "empty" };
  if (usual.has(type)) return { is: "empty" };
  return { is: "denied", reason: `of a name, an agent may ask for addresses only, and not for ${type}` };
}

/** What is told to who asked. */
export type Reply =
  | { is: "addresses"; addresses: readonly string[]; ttlSeconds: number }
  | { is: "empty" }
  /** There is no such name, or none that is for the agent. */
  | { is: "unknown" }
  /** The same question may be answered later. */
  | { is: "failed" };

/** Most addresses that one answer holds: more would not fit into a packet of those who ask by UDP. */
export const mostAddresses = 16;
/** A program is told no less and no more, in seconds, whatever the name's owner says. */
const [leastTtl, mostTtl] = [5, 300];
/** How much longer an address is open than a program was told: who asked may connect a while later. */
export const graceSeconds = 60;

export function ttlTold(ttlSeconds: number): number {
  return Math.min(Math.max(ttlSeconds, leastTtl), mostTtl);
}
