/** Operators who ask nodes for something at a steady rate, and how long it takes until they have their answers. */
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { type HubDoor, transportTo } from "./door.ts";

/** What came of the commands so far. */
export interface Asked {
  answered: number;
  failed: number;
  /** Why the last one failed. */
  why?: string;
  /** From the call to the answer, in milliseconds, of those that were answered; the newest few thousand. */
  latenciesMs: number[];
}

const keptLatencies = 20_000;
/** Calls at once; what is due beyond is not made, and the rate not reached. */
const atOnceLimit = 2_000;
const patienceMs = 120_000;

/**
 * Asks nodes that are up to restart a runtime, so many times a second, until the signal is aborted. A command is kept by the
 * hub, sent to the node, answered by it, and kept again before the caller hears of it.
 */
export async function keepAsking(
  door: HubDoor,
  { perSecond, up, asked }: { perSecond: number; up: ReadonlySet<string>; asked: Asked },
  signal: AbortSignal,
): Promise<void> {
  if (perSecond === 0) return;
  const ask = asker(door);
  let underWay = 0;
  let [nodes, next]: [string[], number] = [[], 0];
  for (let due = performance.now(); !signal.aborted; due += 1000 / perSecond) {
    const waitMs = due - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => {});
    if (next >= nodes.length) [nodes, next] = [[...up], 0];
    const nodeId = nodes[next++];
    if (signal.aborted || nodeId === undefined || !up.has(nodeId) || underWay >= atOnceLimit) continue;
    const from = performance.now();
    underWay++;
    ask(nodeId, signal)
      .then(
        () => {
          asked.answered++;
          asked.latenciesMs.push(performance.now() - from);
          if (asked.latenciesMs.length > keptLatencies) asked.latenciesMs.shift();
        },
        (thrown: unknown) => {
          if (signal.aborted) return;
          asked.failed++;
          asked.why = thrown instanceof Error ? thrown.message : String(thrown);
        },
      )
      .finally(() => underWay--);
  }
}

/** Restarts a runtime of a node; the runtime's name differs, so that no command waits for another. */
function asker(door: HubDoor): (nodeId: string, signal: AbortSignal) => Promise<unknown> {
  const client = createClient(Runtimes, transportTo(door));
  let count = 0;
  return (nodeId, signal) =>
    client.restartRuntime(
      { name: `line-${++count}` },
      { headers: { "edge-node": nodeId }, signal, timeoutMs: patienceMs },
    );
}

/** Takes nodes out of a hub for good. */
export async function removeNodes(door: HubDoor, nodeIds: readonly string[]): Promise<void> {
  const fleet = createClient(Fleet, transportTo(door));
  for (const nodeId of nodeIds) await fleet.removeNode({ id: nodeId, onlyHere: true });
}
