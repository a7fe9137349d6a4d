import type { Attempts } from "./attempts.ts";
import { unfinishedBelow } from "./family.ts";
import type { Ledger } from "./ledger.ts";
import type { TaskRecord } from "./task.ts";

/** Begins to cancel a task and all below it. @returns those that were not finished, whose ends are to be waited for. */
export function cancelTree(ledger: Ledger, attempts: Attempts, id: string, reason: string): TaskRecord[] {
  const own = ledger.open.get(id);
  const below = unfinishedBelow(ledger.open, id);
  if (own) cancelOne(ledger, attempts, own, reason);
  for (const task of below) cancelOne(ledger, attempts, task, `${reason} (with ${id}, which it is below)`);
  return own ? [own, ...below] : below;
}

function cancelOne(ledger: Ledger, attempts: Attempts, { id }: TaskRecord, reason: string): void {
  const state = ledger.open.get(id)?.state; // It may have ended with one before it.
  if (state === "queued") ledger.advance(id, "cancelled", reason);
  else if (state === "running") ledger.advance(id, "stopping", reason, { ending: "cancelled" });
  else if (state !== undefined) ledger.note(id, { ending: "cancelled", reason });
  attempts.callOff(id);
}
