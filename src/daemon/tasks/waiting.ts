import type { Attempts } from "./attempts.ts";
import type { Ledger } from "./ledger.ts";

/** Resolves when tasks are as somebody waits for them to be; looks whenever any changed. Rejects with the signal's reason. */
export async function until(
  { changes }: Pick<Ledger, "changes">,
  signal: AbortSignal,
  isSo: () => boolean,
): Promise<void> {
  for await (const _ of changes.wakes(signal)) if (isSo()) return;
  signal.throwIfAborted();
}

/** Resolves when these tasks are in a final state, and their containers are gone. */
export async function untilSettled(
  ledger: Ledger,
  attempts: Attempts,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await until(ledger, signal, () => ids.every((id) => !ledger.open.has(id) && !attempts.tasks.has(id)));
}
