import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { SandboxIncidentKind } from "../../../gen/edge/v1/events_pb.ts";
import type { LogLine } from "../../../gen/edge/v1/runtimes_pb.ts";

/** Whose cell it is. Its id is made by whoever asks for it, with `newId("cell")`. */
export interface CellIdentity {
  id: string;
  agent: string;
  /** Of the agent's manifest. */
  version: number;
}

/** What a cell is made from. */
export interface CellAsk extends CellIdentity {
  spec: AgentSpec;
  /** The engine's content id of the image. */
  imageId: string;
  /** The command that it is made for; empty for one that is made ahead, whose program starts before there is an input for it. */
  commandId: string;
}

/** A container of an agent: it is claimed by one task at most, and never used twice. */
export interface Cell extends CellIdentity {
  /** The engine's. */
  containerId: string;
  /** Its address on the node's network of cells; absent when it has no network. */
  address?: string;
}

/**
 * The network namespace of a cell, before its program is in it. That of an agent whose manifest lists nothing has loopback only; that
 * of others is on the node's network of cells, a bridge of the engine on which no cell reaches another.
 */
export interface CellNetwork {
  /** The engine's id of the container that holds the namespace, in full. */
  holderId: string;
  /** Its process, as the engine sees it: the namespace is `/proc/<pid>/ns/net`. */
  pid: number;
  /** On the node's network of cells. */
  onBridge?: {
    /** IPv4, as all of these. */
    address: string;
    /** The node's own address there: what listens on it, cells can be let through to. */
    gateway: string;
    /** As in `172.18.0.0/16`. */
    subnet: string;
    /** Of IPv6; absent where cells have none. */
    subnet6?: string;
  };
}

/** What other rooms put into a cell before its program starts, and take away when it is gone. */
export interface Provider {
  /** Before the container is made; the cell's folder exists. */
  prepare(ask: CellAsk, folder: string, signal: AbortSignal): Promise<Provision>;
  /** The network namespace exists, the program does not: what is loaded now binds it from its first instruction on. */
  guard?(ask: CellAsk, network: CellNetwork, signal: AbortSignal): Promise<void>;
  /** The container is gone; also for cells of former lives of the daemon. The same again is the same success. */
  release(cellId: string): Promise<void>;
}

/** What a provider adds to a cell. */
export interface Provision {
  mounts: readonly ProvidedMount[];
  env: Readonly<Record<string, string>>;
}

/** A folder or file of ours that a cell sees. */
export interface ProvidedMount {
  /** As this program sees it. */
  source: string;
  target: string;
  readOnly: boolean;
}

/** How a cell's program ended, and what it left. */
export interface CellEnd {
  /** Absent when nobody knows: the container is gone. */
  exitCode?: number;
  /** Whether its streams broke off before, with the engine or the daemon: what was handed to it last may not have come. */
  isCutOff: boolean;
  /** Whether the kernel killed one of its processes for want of memory. */
  outOfMemory: boolean;
  /** What it wrote to its standard output, at most `max_io_bytes` of it. */
  output: Uint8Array;
  /** Whether it wrote more, and the rest was dropped. */
  outputCut: boolean;
  usage: CellUsage;
  /** What it met, as far as that can be known, and was not told at once. */
  incidents: readonly CellIncident[];
}

/** A limit that a cell's programs met, or something that they tried and may not. */
export interface CellIncident {
  kind: SandboxIncidentKind;
  /** How often; 0 when it is not known. */
  count: number;
  /** What it was; absent where the kind says it all. */
  reason?: string;
}

export interface CellUsage {
  cpuMs: number;
  /** 0 when it could not be read. */
  memoryPeakBytes: number;
}

/** What a cell wrote, for the log of its task. */
export interface CellLog {
  /** Oldest first. */
  lines: LogLine[];
  /** Whether older lines were left out. */
  leftOut: boolean;
}

/** A cell of this daemon that the engine has, after a restart. */
export interface FoundCell extends Cell {
  commandId: string;
  /** Whether its program runs. */
  isRunning: boolean;
}
