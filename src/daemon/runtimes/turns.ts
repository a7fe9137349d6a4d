import { Lanes } from "../../base/lanes.ts";
import type { Ask } from "../work/index.ts";

/** Commands that may wait for one runtime. */
const limit = 100;

/** Commands on one runtime are done one after the other, also where one of them is about many. */
export class Turns {
  readonly #lanes = new Lanes(limit);

  /** Does `work` after all that came before it for the runtime of this name. */
  run<T>(name: string, ask: Ask, work: (ask: Ask) => Promise<T>): Promise<T> {
    return this.#lanes.run(name, async (leave) => {
      ask.signal.throwIfAborted(); // It was called off while it waited.
      const letOthers = () => {
        leave();
        ask.letOthers?.();
      };
      return await work({ ...ask, letOthers });
    });
  }
}
