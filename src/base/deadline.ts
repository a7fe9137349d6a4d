import type { Clock } from "./clock.ts";

/** A signal that is aborted when its time is over, unless it is disposed before. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/** Begins a deadline of `ms`, however many they are; `why` makes the reason of the abort. It never comes after `stop`. */
export function deadlineIn(ms: number, why: () => Error, clock: Clock, stop?: AbortSignal): Deadline {
  const over = new AbortController();
  const met = new AbortController();
  clock.sleep(ms, stop ? AbortSignal.any([met.signal, stop]) : met.signal).then(
    () => over.abort(why()),
    () => {}, // It was disposed, or stopped.
  );
  return { signal: over.signal, [Symbol.dispose]: () => met.abort() };
}
