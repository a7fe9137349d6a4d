import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { harmless } from "../../base/evidence.ts";
import type { FieldViolation } from "../../base/failure.ts";
import { wrongAgentNetwork } from "../../wire/agent-network.ts";
import { confinementViolations } from "../sandbox/index.ts";
import { scheduleViolations } from "./schedule.ts";

/** Names that others would take for the node's own when they read who published or asked. */
const reserved = ["broker", "gateway", "node", "operator", "schedule"];
/** The contract's limits of a manifest that does not say. */
const usual = { ioBytes: 1 << 20, wallTimeMs: 300_000 };

/** What of a manifest cannot be, beyond the rules of the contract. Every violation at once; nobody is asked. */
export function manifestViolations(spec: AgentSpec): FieldViolation[] {
  return [
    ...(reserved.includes(spec.name)
      ? [{ field: "spec.name", message: `${spec.name} is the node's own name` }]
      : []),
    ...confinementViolations(spec),
    ...wrongAgentNetwork(spec.network, "spec.network"),
    ...warmViolations(spec),
    ...fileViolations(spec),
    ...ofSchedule(spec),
    ...ofRetries(spec),
  ];
}

function warmViolations({ warm, concurrency }: AgentSpec): FieldViolation[] {
  const most = Math.max(1, concurrency);
  if (warm <= most) return [];
  return [
    { field: "spec.warm", message: `is ${warm}; more than concurrency (${most}) are never used at once` },
  ];
}

function fileViolations({ credentials }: AgentSpec): FieldViolation[] {
  const first = new Map<string, number>();
  return credentials.flatMap(({ name, file, upstream }, at) => {
    if (upstream) return [];
    const shown = file || name;
    const before = first.get(shown);
    first.set(shown, before ?? at);
    if (before === undefined) return [];
    return [
      {
        field: `spec.credentials[${at}].file`,
        message: `is ${harmless(shown)}, as of spec.credentials[${before}]`,
      },
    ];
  });
}

function ofSchedule({ schedule, maxIoBytes }: AgentSpec): FieldViolation[] {
  if (!schedule) return [];
  const wrong = scheduleViolations(schedule);
  const most = maxIoBytes || usual.ioBytes;
  if (schedule.input.length > most)
    wrong.push({ field: "input", message: `is longer than max_io_bytes (${most})` });
  return wrong.map(({ field, message }) => ({ field: `spec.schedule.${field}`, message }));
}

function ofRetries({ retries }: AgentSpec): FieldViolation[] {
  if (!retries || retries.firstMs === 0 || retries.mostMs === 0 || retries.firstMs <= retries.mostMs)
    return [];
  return [{ field: "spec.retries.most_ms", message: `is ${retries.mostMs}, which is less than first_ms` }];
}
