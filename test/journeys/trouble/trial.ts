import type { TestContext } from "node:test";
import { inspect } from "node:util";
import { testSeed } from "../../fixtures/chance.ts";

/** In the log of an engine that ends while it starts. */
const ownFault = "libnetwork.(*controller).reservePools";
const most = 3;

/**
 * Tries something with a seed of chance. A Docker that is killed while it makes a network may never start again, because it reads
 * half a network from its disk (moby/moby#45057). Nobody's daemon can mend that, and the trial says nothing: it is told, and another
 * one takes its place.
 */
export async function trial(t: TestContext, work: (seed: number) => Promise<void>): Promise<void> {
  for (let tried = 1; ; tried++) {
    const seed = testSeed + tried;
    t.diagnostic(`seed ${seed}`);
    try {
      await work(seed);
      return;
    } catch (thrown) {
      if (tried === most || !inspect(thrown, { depth: 10 }).includes(ownFault)) throw thrown;
      t.diagnostic(`Docker does not start again after it was killed, by its own fault (${ownFault})`);
    }
  }
}
