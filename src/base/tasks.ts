/**
 * Runs tasks that live and die together: they start at once, the first failure stops the others through their signal, and
 * the call returns when all have ended. Rejects with the first failure. An abort from outside ends all tasks and is not a
 * failure.
 */
export async function runTasks(
  signal: AbortSignal,
  ...tasks: ((signal: AbortSignal) => Promise<void>)[]
): Promise<void> {
  const siblings = new AbortController();
  const all = AbortSignal.any([signal, siblings.signal]);
  let first: { failure: unknown } | undefined;
  await Promise.all(
    tasks.map(async (task) => {
      try {
        await task(all);
      } catch (thrown) {
        if (all.aborted) return;
        first ??= { failure: thrown };
        siblings.abort(thrown);
      }
    }),
  );
  if (first) throw first.failure;
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
