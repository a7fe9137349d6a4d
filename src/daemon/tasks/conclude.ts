import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { SandboxIncidentKind } from "../../../gen/edge/v1/events_pb.ts";
import type { CellEnd, CellIncident } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { insist } from "./insist.ts";
import type { Change } from "./ledger.ts";
import type { MachineTime, TaskRecord } from "./task.ts";
import { isFinal } from "./transitions.ts";
import type { Verdict } from "./verdict.ts";

/** The end of a program that nobody saw, or that never began. */
export const unknownEnd: CellEnd = {
  isCutOff: true,
  outOfMemory: false,
  output: new Uint8Array(),
  outputCut: false,
  usage: { cpuMs: 0, memoryPeakBytes: 0 },
  incidents: [],
};

/** Writes what became of an attempt, as `judge` says, with what its program answered and used. */
export async function conclude(
  tools: AttemptTools,
  id: string,
  judge: (task: TaskRecord, spec: AgentSpec | undefined) => Verdict,
  end: CellEnd,
  change: Change = {},
): Promise<void> {
  const { ledger, clock, machineTime, version } = tools;
  const advance = () => {
    const task = ledger.open.get(id);
    if (!task) return; // It was finished by another way.
    const { state, reason, pauseMs } = judge(task, version(task.agent, task.version)?.spec);
    ledger.advance(id, state, reason, {
      ...used(task, end, machineTime()),
      ...{ exitCode: end.exitCode, outOfMemory: end.outOfMemory, given: false },
      ...(!isFinal(state) && { beganAt: undefined, ending: undefined }),
      ...(pauseMs !== undefined && { pauseMs, nextAttemptAt: clock.now() + pauseMs }),
      ...{ outputBytes: end.output.length, outputCut: end.outputCut },
      ...(isFinal(state) && end.output.length > 0 && { blobs: { output: end.output } }),
      incidents: incidentsOf(task, end),
      ...change,
    });
  };
  await insist(tools, "write a task", () => ledger.soon(advance));
}

/** How long the current attempt has run; without end when that was in another life of the machine. */
export function ranMs({ beganAt }: TaskRecord, now: MachineTime): number {
  if (!beganAt) return 0;
  return beganAt.bootId === now.bootId
    ? Math.max(0, now.uptimeMs - beganAt.uptimeMs)
    : Number.POSITIVE_INFINITY;
}

function used(task: TaskRecord, { usage }: CellEnd, now: MachineTime): Change {
  const hasRun = task.state === "running" || task.state === "stopping";
  const ran = hasRun ? ranMs(task, now) : 0;
  return {
    cpuMs: task.cpuMs + usage.cpuMs,
    memoryPeakBytes: Math.max(task.memoryPeakBytes, usage.memoryPeakBytes),
    runMs: task.runMs + (Number.isFinite(ran) ? ran : 0),
  };
}

function incidentsOf(task: TaskRecord, { incidents }: CellEnd): CellIncident[] {
  const late = { kind: SandboxIncidentKind.OUT_OF_TIME, count: 1 };
  return task.ending === "late" ? [...incidents, late] : [...incidents];
}
