import { SandboxIncidentKind } from "../../../gen/edge/v1/events_pb.ts";
import { wordsOf } from "./calls/refused.ts";
import type { Cell, CellEnd, CellIncident, CellNetwork } from "./cell.ts";
import type { ContainerEnd } from "./container-end.ts";
import type { Counted, RefusedCalls } from "./first-process.ts";
import type { Streams } from "./streams.ts";

/** A cell of this life of the daemon. */
export interface LiveCell {
  cell: Cell;
  /** Undefined with a network namespace of its own. */
  network: CellNetwork | undefined;
  streams: Streams;
  ioBytes: number;
}

/** What a cell's end was, from all who know something of it. */
export function endOf(
  { exitCode, outOfMemory }: ContainerEnd,
  counted: Counted | undefined,
  { output, dropped }: { output: Uint8Array; dropped: number },
): CellEnd {
  const {
    cpuMs = 0,
    memoryPeakBytes = 0,
    oomKills = 0,
    pidsRefused = 0,
    full = [],
    refused = [],
  } = counted ?? {};
  const isOut = outOfMemory || oomKills > 0;
  const incidents: (CellIncident | false)[] = [
    isOut && { kind: SandboxIncidentKind.OUT_OF_MEMORY, count: oomKills },
    pidsRefused > 0 && { kind: SandboxIncidentKind.OUT_OF_PROCESSES, count: pidsRefused },
    full.length > 0 && { kind: SandboxIncidentKind.OUT_OF_DISK, count: 0 },
    dropped > 0 && { kind: SandboxIncidentKind.OUT_OF_OUTPUT, count: 1 },
    // The first of each kind was told at once.
    ...refused.map((one) => refusedCall({ ...one, count: one.count - 1 })),
  ];
  return {
    ...(exitCode !== undefined && { exitCode }),
    isCutOff: counted === undefined,
    ...{ outOfMemory: isOut, output, outputCut: dropped > 0 },
    usage: { cpuMs, memoryPeakBytes },
    incidents: incidents.filter((one) => one !== false),
  };
}

/** What is told of system calls that were refused. */
export function refusedCall({ machine, call, count, by }: RefusedCalls): CellIncident {
  const reason = `its program ${by || "without a name"} ${wordsOf(machine, call)}: no agent may`;
  return { kind: SandboxIncidentKind.SYSTEM_CALL, count, reason };
}
