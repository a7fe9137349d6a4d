import { setTimeout as sleep } from "node:timers/promises";

/** Between two looks: at first often, and then as seldom as is still a tenth of the wait; a look costs two programs some work. */
const pauseMs = { first: 25, longest: 200 };

/**
 * Waits until `look` returns something, and returns it. A look that throws is a look that saw nothing yet; the last one is told
 * when the time is up. The deadline only bounds a test that fails.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  const begun = performance.now();
  let last: unknown = "nothing yet";
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
    } catch (thrown) {
      last = thrown;
    }
    const waitedMs = performance.now() - begun;
    if (waitedMs > timeoutMs) throw new Error(`waited ${timeoutMs} ms for: ${what}`, { cause: last });
    await sleep(Math.max(pauseMs.first, Math.min(waitedMs / 10, pauseMs.longest)));
  }
}
