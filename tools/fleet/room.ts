/** Whether a machine has room for a fleet. */

/** As many as one process's event loop serves without being late. */
export const nodesPerShare = 5_000;

/** What a node takes, in kB: of the process that simulates it, and of a hub beside it. Measured, with something to spare. */
const kbPerNode = 180;
const hubKbPerNode = 200;
/** What the programs take without any node, and what is left to the machine, in kB. */
const programsKb = 400_000;

export interface Machine {
  availableKb: number;
  /** Open files that a process may have. */
  files: number;
}

export interface Wanted {
  nodes: number;
  /** Whether the hub is on this machine, too. */
  withHub: boolean;
}

/** Open files of a process with so many nodes. */
export function filesOf(nodes: number): number {
  return nodes + 1_000;
}

/** Why a machine is too small, as a sentence; undefined when it is not. */
export function refusal({ nodes, withHub }: Wanted, { availableKb, files }: Machine): string | undefined {
  const needed = programsKb + nodes * (kbPerNode + (withHub ? hubKbPerNode : 0));
  if (needed > availableKb) {
    const most = Math.floor((availableKb - programsKb) / (kbPerNode + (withHub ? hubKbPerNode : 0)));
    return `${nodes} nodes take about ${mb(needed)} MB, and ${mb(availableKb)} MB are free: ask for at most ${Math.max(0, most)}`;
  }
  const inOne = filesOf(withHub ? nodes : Math.min(nodes, nodesPerShare));
  if (inOne > files) {
    return `a process needs ${inOne} open files, and may have ${files}: raise the limit (ulimit -n ${inOne}), or ask for at most ${Math.max(0, files - filesOf(0))} nodes`;
  }
  return undefined;
}

function mb(kb: number): number {
  return Math.round(kb / 1000);
}
