import type { Cell } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { insist } from "./insist.ts";

/**
 * From here on a task is running on disk: nobody gives its input to another program without a new decision.
 * @returns whether it is; one that was cancelled in the moment before is finished.
 */
export async function enter(tools: AttemptTools, id: string, cell: Cell, warm: boolean): Promise<boolean> {
  const { ledger, clock, machineTime } = tools;
  const startedAt = clock.now();
  const advance = () => {
    const task = ledger.open.get(id);
    if (!task) return false;
    // It may be about to be cancelled: then it is ended at once, for the reason that was told.
    const reason = task.ending === undefined ? "its program has its input" : task.reason;
    ledger.advance(id, "running", reason, {
      ...{ cellId: cell.id, containerId: cell.containerId, warm, startedAt, given: false },
      ...{ attempts: task.attempts + 1, beganAt: machineTime(), exitCode: undefined, outOfMemory: false },
      ...{ nextAttemptAt: undefined, pauseMs: undefined },
      waitedMs: task.attempts === 0 ? Math.max(0, startedAt - task.queuedAt) : task.waitedMs,
    });
    return true;
  };
  return await insist(tools, "write a task", () => ledger.soon(advance));
}

/**
 * Hands a task's input over. The first process of a cell gives its program all of it or nothing, and ends when nothing more can come:
 * so what became of an input that was not handed over whole is known when the cell has ended.
 */
export async function give(tools: AttemptTools, id: string, cell: Cell): Promise<void> {
  const { ledger, cells, log, signal } = tools;
  try {
    await cells.give(cell, ledger.store.blob(id, "input"), signal);
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ task: id, error }, "an input was not handed over completely");
    return;
  }
  const note = () => {
    if (ledger.open.has(id)) ledger.note(id, { given: true });
  };
  await insist(tools, "write a task", () => ledger.soon(note));
}
