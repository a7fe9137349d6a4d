import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { asFailure, failure } from "../../base/failure.ts";
import { newId } from "../../base/ids.ts";
import type { Deployed } from "../agents/index.ts";
import type { Cell } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { conclude, unknownEnd } from "./conclude.ts";
import { insist, isPassing } from "./insist.ts";
import type { TaskRecord } from "./task.ts";
import { startFailed } from "./verdict.ts";

/** How long a task waits for which the node has no room, in milliseconds. */
const fullMs = 1_000;

/** Makes a cell for a task; undefined when there is none, and what follows from that is done. */
export async function makeCell(
  tools: AttemptTools,
  task: TaskRecord,
  callOff: AbortSignal,
): Promise<Cell | undefined> {
  const { ledger, onMade, version } = tools;
  const cellId = newId("cell");
  const starting = { cellId, nextAttemptAt: undefined, pauseMs: undefined };
  await insist(tools, "write a task", () =>
    ledger.advance(task.id, "starting", "its container is being made", starting),
  );
  try {
    const deployed = version(task.agent, task.version);
    if (!deployed) throw failure("not_found", `version ${task.version} of agent ${task.agent} is gone`);
    const cell = await start(tools, deployed, { cellId, commandId: task.id, callOff });
    onMade();
    if (callOff.aborted)
      await insist(tools, "remove a container", () => tools.cells.remove(cell, tools.signal));
    callOff.throwIfAborted();
    return cell;
  } catch (thrown) {
    tools.signal.throwIfAborted(); // It is found as it is, and queued again.
    await notMade(tools, task.id, { isCalledOff: callOff.aborted, thrown });
    return undefined;
  }
}

/** Makes a cell of an agent. An image that somebody removed is pulled again. */
export async function start(
  { cells, admit, bringImage, signal }: Pick<AttemptTools, "cells" | "admit" | "bringImage" | "signal">,
  deployed: Deployed,
  { cellId, commandId, callOff }: { cellId: string; commandId: string; callOff?: AbortSignal },
): Promise<Cell> {
  const stop = callOff ? AbortSignal.any([callOff, signal]) : signal;
  await admit(deployed, cellId, stop);
  const { name, version, spec, imageId } = deployed;
  const ask = { id: cellId, agent: name, version, spec, imageId, commandId };
  try {
    return await cells.start(ask, stop);
  } catch (thrown) {
    if (stop.aborted || asFailure(thrown).kind !== "not_found") throw thrown;
    await bringImage(deployed, stop);
    return await cells.start(ask, stop);
  }
}

async function notMade(
  tools: AttemptTools,
  taskId: string,
  { isCalledOff, thrown }: { isCalledOff: boolean; thrown: unknown },
): Promise<void> {
  const { ledger, clock, onTrouble } = tools;
  const { message } = asFailure(thrown);
  if (isCalledOff) {
    const cancelled = (task: TaskRecord) => ({ state: "cancelled" as const, reason: task.reason });
    await conclude(tools, taskId, cancelled, unknownEnd, { cellId: "" });
  } else if (isPassing(thrown)) {
    // What has no room for this one may have it for another.
    const isFull = asFailure(thrown).kind === "exhausted";
    if (!isFull) onTrouble(message);
    const pause = isFull ? { pauseMs: fullMs, nextAttemptAt: clock.now() + fullMs } : {};
    await insist(tools, "write a task", () =>
      ledger.advance(taskId, "queued", `it waits: ${message}`, { cellId: "", ...pause }),
    );
  } else {
    const attempts = (ledger.open.get(taskId)?.attempts ?? 0) + 1;
    const judge = (task: TaskRecord, spec: AgentSpec | undefined) =>
      startFailed({ ...task, attempts }, message, spec);
    await conclude(tools, taskId, judge, unknownEnd, { cellId: "", attempts });
  }
}
