import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until `look` returns something, and returns it. A look that throws is a look that saw nothing yet; the last one is told
 * when the time is up. The deadline only bounds a test that fails.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown = "nothing yet";
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
    } catch (thrown) {
      last = thrown;
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`, { cause: last });
    await sleep(25);
  }
}
