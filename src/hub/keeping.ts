import { days, whole } from "../base/setting-kinds.ts";
import type { Settings } from "../base/settings.ts";

/** How long the hub keeps what nodes told. */
export const keepingSettings = {
  "hub.events_kept": whole({
    default: 100_000,
    min: 1000,
    max: 1_000_000_000,
    doc: "Events of all nodes together that the hub keeps; the oldest go first. A hundred thousand are about 30 MB.",
  }),
  "hub.events_kept_days": days({
    default: 30,
    min: 0.01,
    max: 36_500,
    doc: "How long the hub keeps an event, in days.",
  }),
  "hub.audit_heads_kept_days": days({
    default: 400,
    min: 1,
    max: 36_500,
    doc: "How long the hub keeps the signed heads of the nodes' audit trails, in days.",
  }),
  "hub.results_kept_days": days({
    default: 7,
    min: 0.01,
    max: 36_500,
    doc: "How long the hub keeps a finished command, in days; of one node at most a thousand.",
  }),
} satisfies Settings;
