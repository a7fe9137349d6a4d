import { asFailure } from "../../base/failure.ts";
import type { Cell, CellLog } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { insist } from "./insist.ts";
import { appended } from "./kept-log.ts";

/** Keeps what a cell wrote for its task, and removes the cell. Whoever asks for the log meanwhile gets all of it, and once. */
export async function putAway(tools: AttemptTools, taskId: string, cell: Cell): Promise<void> {
  const { cells, ledger, signal } = tools;
  // A task without a container has its log kept: so a former life of the daemon may have left it.
  if (ledger.get(taskId)?.containerId !== "") {
    const wrote = await writtenBy(tools, taskId, cell);
    const keep = () => {
      const log = appended(ledger.store.blob(taskId, "log"), wrote);
      ledger.note(taskId, { containerId: "" }, { log });
    };
    await insist(tools, "write a task", () => ledger.soon(keep));
  }
  await insist(tools, "remove a container", () => cells.remove(cell, signal));
  await insist(tools, "write a task", () => ledger.soon(() => ledger.note(taskId, { cellId: "" })));
}

async function writtenBy(tools: AttemptTools, taskId: string, cell: Cell): Promise<CellLog> {
  const { cells, log, signal } = tools;
  try {
    return await insist(tools, "read a container's log", () => cells.logs(cell, signal));
  } catch (error) {
    signal.throwIfAborted();
    const isGone = asFailure(error).kind === "not_found";
    if (!isGone) log.warn({ task: taskId, error }, "what a task wrote could not be kept");
    return { lines: [], leftOut: true };
  }
}
