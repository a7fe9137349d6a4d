import type { FoundCell } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import type { Attempts } from "./attempts.ts";
import { insist } from "./insist.ts";
import type { Ledger } from "./ledger.ts";
import { putAway } from "./put-away.ts";

/** What was being started has no input: it waits again, and what there is of its container goes at the next look. */
export function requeueStarting(ledger: Ledger): void {
  for (const { id, state } of [...ledger.open.values()]) {
    if (state !== "starting") continue;
    ledger.advance(id, "queued", "the daemon ended before it had its input: it waits again", { cellId: "" });
  }
}

/** Takes up what a former life of the daemon left: what had its input is seen through. */
export async function recover(tools: AttemptTools, attempts: Attempts): Promise<void> {
  const { ledger, cells, signal, log } = tools;
  const found = await insist(tools, "look for containers of agents", () => cells.found(signal));
  const cellOf = new Map(found.map((cell) => [cell.id, cell]));
  for (const task of [...ledger.open.values()]) {
    if (task.state !== "running" && task.state !== "stopping") continue;
    if (attempts.tasks.has(task.id)) continue;
    const cell = cellOf.get(task.cellId);
    if (cell) attempts.takeUp(task.id, cell);
    else attempts.abandon(task.id, "its container was gone when the daemon came back");
    log.info({ task: task.id, agent: task.agent, state: task.state }, "a task of before is taken up again");
  }
}

/** Between two looks for what nobody owns, in milliseconds: the engine may finish making what a daemon asked for that died. */
const sweepMs = { first: 500, most: 60_000 };

/** Removes cells that are nobody's, at once and then now and then, until the signal is aborted. */
export async function sweep(tools: AttemptTools, isOwned: (cellId: string) => boolean): Promise<void> {
  const { cells, clock, signal } = tools;
  for (let pauseMs = sweepMs.first; ; pauseMs = Math.min(sweepMs.most, 2 * pauseMs)) {
    const found = await insist(tools, "look for containers of agents", () => cells.list(signal));
    await Promise.all(found.filter(({ id }) => !isOwned(id)).map((cell) => removeLeft(tools, cell)));
    forgetCells(tools, found, isOwned);
    await clock.sleep(pauseMs, signal);
  }
}

async function removeLeft(tools: AttemptTools, cell: FoundCell): Promise<void> {
  const { ledger, cells, log, signal } = tools;
  try {
    const task = ledger.store.withCell().find(({ cellId }) => cellId === cell.id);
    if (task) await putAway(tools, task.id, cell);
    else await insist(tools, "remove a container", () => cells.remove(cell, signal));
    log.info({ agent: cell.agent, cell: cell.id }, "a container that was left is removed");
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ error, cell: cell.id }, "a container that was left cannot be removed; it is tried again");
  }
}

/** Finished tasks whose container is gone have none any more. */
function forgetCells(
  { ledger }: AttemptTools,
  found: readonly FoundCell[],
  isOwned: (cellId: string) => boolean,
): void {
  const there = new Set(found.map(({ id }) => id));
  for (const { id, cellId } of ledger.store.withCell()) {
    if (!there.has(cellId) && !isOwned(cellId)) ledger.note(id, { cellId: "", containerId: "" });
  }
}
