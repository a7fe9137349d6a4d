import { setTimeout as sleep } from "node:timers/promises";

/** Waits until something is so. @throws {Error} after ten seconds, naming it. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 10_000; !(await isSo()); ) {
    if (performance.now() > deadline) throw new Error(`it never came so far that ${what}`);
    await sleep(5);
  }
}
