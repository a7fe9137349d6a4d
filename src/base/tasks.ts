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

/** Resolves when the signal is aborted. For what goes on until then; beside something else: `abortOf`. */
export function aborted(signal: AbortSignal): Promise<void> {
  return abortOf(signal).promise;
}

/**
 * The abort of a signal, waited for beside something else, and disposed when that came first. A listener that is left on a signal of
 * `AbortSignal.any` keeps that signal, and all that the listener reaches, for as long as the process lives.
 */
export function abortOf(signal: AbortSignal): Disposable & { readonly promise: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", onAbort, { once: true });
  return { promise, [Symbol.dispose]: () => signal.removeEventListener("abort", onAbort) };
}

/** Waits for something, and no longer than the signal lets it. Rejects with the signal's reason. */
export async function unlessAborted<T>(wanted: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  using end = abortOf(signal);
  const isOver = end.promise.then((): never => {
    throw signal.reason;
  });
  return await Promise.race([wanted, isOver]);
}
