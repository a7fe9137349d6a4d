import type { Logger } from "../../base/log.ts";

/** How what was made is taken back when the whole cannot be made: last first. */
export class Undo {
  readonly #steps: (() => Promise<void> | void)[] = [];

  /** Adds a step; the next one is done before it. */
  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Does all steps. One that fails keeps none of the others from being done, and does not hide why they are. */
  async run(log: Logger): Promise<void> {
    for (const step of this.#steps.toReversed()) {
      try {
        await step();
      } catch (error) {
        log.warn({ error }, "something of a cell that could not be made is left for now");
      }
    }
  }
}
