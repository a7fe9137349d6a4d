import { SandboxIncidentKind } from "../../../gen/edge/v1/events_pb.ts";
import type { Cell, CellEnd, CellIncident, CellNetwork } from "./cell.ts";
import type { Counted } from "./cgroup.ts";
import type { ContainerEnd } from "./container-end.ts";
import type { Streams } from "./streams.ts";

/** A cell of this life of the daemon. */
export interface LiveCell {
  cell: Cell;
  /** Undefined with a network namespace of its own. */
  network: CellNetwork | undefined;
  streams: Streams;
  ioBytes: number;
  /** What the kernel had counted when its streams ended; a promise, so that it is read then and not when somebody asks. */
  counted: Promise<Counted | undefined>;
}

/** What a cell's end was, from all who know something of it. */
export function endOf(
  { exitCode, outOfMemory }: ContainerEnd,
  counted: Counted | undefined,
  streams: { output: Uint8Array; dropped: number; full: number },
): CellEnd {
  const { cpuMs = 0, memoryPeakBytes = 0, oomKills = 0, pidsRefused = 0 } = counted ?? {};
  const isOut = outOfMemory || oomKills > 0;
  const incidents: (CellIncident | false)[] = [
    isOut && { kind: SandboxIncidentKind.OUT_OF_MEMORY, count: oomKills },
    pidsRefused > 0 && { kind: SandboxIncidentKind.OUT_OF_PROCESSES, count: pidsRefused },
    streams.full > 0 && { kind: SandboxIncidentKind.OUT_OF_DISK, count: 0 },
    streams.dropped > 0 && { kind: SandboxIncidentKind.OUT_OF_OUTPUT, count: 1 },
  ];
  return {
    ...(exitCode !== undefined && { exitCode }),
    ...{ outOfMemory: isOut, output: streams.output, outputCut: streams.dropped > 0 },
    usage: { cpuMs, memoryPeakBytes },
    incidents: incidents.filter((one) => one !== false),
  };
}
